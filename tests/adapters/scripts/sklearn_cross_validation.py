"""Means over folds."""
# model: joblib
# compare

from sklearn.datasets import load_iris
from sklearn.metrics import accuracy_score
from sklearn.model_selection import KFold, cross_val_predict, cross_val_score, cross_validate
from sklearn.svm import SVC

X, y = load_iris(return_X_y=True)
print(cross_val_score(SVC(), X, y, cv=3).mean())  #: cross-validation accuracy
print(cross_validate(SVC(), X, y, cv=3, scoring=("accuracy", "neg_log_loss") if False else ["accuracy"])["test_accuracy"])  #: cross-validation accuracy
print(accuracy_score(y, cross_val_predict(SVC(), X, y, cv=3)))  #: cross-validation accuracy
model = SVC()
for train, test in KFold(3, shuffle=True, random_state=1).split(X):
    model.fit(X[train], y[train])
    print(model.score(X[test], y[test]))  #: held-out accuracy
    print(accuracy_score(y[test], model.predict(X[test])))  #: held-out accuracy
