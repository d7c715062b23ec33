from sklearn.datasets import load_diabetes
from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingRegressor, AdaBoostRegressor
from sklearn.metrics import mean_squared_error

X, y = load_diabetes(return_X_y=True)
params = dict(n_estimators=100, max_depth=4, learning_rate=0.01, loss="squared_error")
gbr = GradientBoostingRegressor(n_estimators=100, max_depth=4, learning_rate=0.01, subsample=0.5, loss="squared_error")  #: max_depth learning_rate subsample
gbr.fit(X[:300], y[:300])
curve = [mean_squared_error(y[300:], p) for p in gbr.staged_predict(X[300:])]
hist = HistGradientBoostingRegressor(max_iter=50, learning_rate=0.1, l2_regularization=1.0, max_leaf_nodes=31)  #: max_iter learning_rate l2_regularization max_leaf_nodes
hist.fit(X[:300], y[:300])
AdaBoostRegressor(n_estimators=30, learning_rate=1).fit(X, y)  #: learning_rate
