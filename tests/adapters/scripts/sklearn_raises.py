"""What scikit-learn raises is the script's own affair."""
# fails: ValueError
# model: joblib

from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.svm import SVC

X, y = load_iris(return_X_y=True)
try:
    SVC().predict(X)
except NotFittedError as error:
    print(error)
model = SVC().fit(X[::2], y[::2])
print(model.score(X[1::2], y[1::2]))  #: held-out accuracy
SVC().fit(X, y[:10])
