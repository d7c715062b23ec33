"""What a search fits and scores inside is its own."""
# model: joblib
# confusion: 3
# compare

from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.svm import SVC

X, y = load_iris(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
search = GridSearchCV(SVC(), {"C": [0.1, 10]}, cv=3)
search.fit(X_train, y_train)  #: cross-validation accuracy
print(search.best_params_, search.best_score_)
print(search.score(X_test, y_test))  #: held-out accuracy
print(search.best_estimator_.score(X_train, y_train))  #: training accuracy
