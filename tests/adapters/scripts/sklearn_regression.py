"""Regressors: r2 by score, errors by functions, a search by a negative error."""
# model: joblib
# confusion: none
# compare

from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score
from sklearn.model_selection import GridSearchCV, train_test_split

X, y = load_diabetes(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
model = Ridge().fit(X_train, y_train)
print(model.score(X_test, y_test))  #: held-out r2
print(mean_squared_error(y_test, model.predict(X_test)))  #: held-out mse
print(mean_absolute_error(y_train, model.predict(X_train)))  #: training mae
print(r2_score(y_true=y_test, y_pred=model.predict(X_test)))  #: held-out r2
GridSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, scoring="neg_mean_squared_error").fit(X_train, y_train)  #: cross-validation mse
