from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_score

params = {"n_estimators": 20, "max_depth": 4, "random_state": 0, "n_jobs": 1}  #: n_estimators max_depth
print(params)
X, y = load_digits(return_X_y=True)
print(cross_val_score(RandomForestClassifier(**params), X, y, cv=3).mean())
RandomForestClassifier(**params).fit(X, y)
