from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.svm import SVC

X, y = load_iris(return_X_y=True)
grid = {"C": [0.1, 1, 10], "kernel": ["rbf", "linear"]}
search = GridSearchCV(SVC(), grid, cv=5)
search.fit(X, y)
print(search.best_params_)
