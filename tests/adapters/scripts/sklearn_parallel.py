"""Processes of a pool do not multiply what is measured; they take classes of the script."""
# model: joblib

from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import RandomizedSearchCV
from sklearn.pipeline import make_pipeline


class Half(BaseEstimator, TransformerMixin):
    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X / 2


X, y = load_iris(return_X_y=True)
if __name__ == "__main__":
    model = make_pipeline(Half(), RandomForestClassifier(n_estimators=3, random_state=0))
    search = RandomizedSearchCV(model, {"randomforestclassifier__max_depth": [1, 2, 3]}, n_iter=2, n_jobs=2, random_state=0, scoring="f1_macro")
    search.fit(X, y)  #: cross-validation f1_macro
    forest = RandomForestClassifier(n_estimators=6, n_jobs=2, random_state=0).fit(X, y)
    print(forest.score(X, y))  #: training accuracy
