"""What the script's own code takes part in is computed again, and so are all its effects."""
# kill: call 2, call 4
# again: 1
# resumed: 0

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

x, y = make_classification(200, 8, random_state=3)
seen = []


class Own(ClassifierMixin, BaseEstimator):
    def fit(self, x, y):
        seen.append(len(x))
        self.inner_ = LogisticRegression().fit(x, y)
        self.classes_ = self.inner_.classes_
        return self

    def predict(self, x):
        return self.inner_.predict(x)


def half(x):
    seen.append("half")
    return x / 2


def agreement(true, predicted):
    seen.append("scored")
    return (true == predicted).mean()


own = Own().fit(x, y)
halved = make_pipeline(FunctionTransformer(half), LogisticRegression()).fit(x, y)
grid = GridSearchCV(LogisticRegression(), {"C": [0.1, 1]}, scoring=make_scorer(agreement))
grid.fit(x, y)
plain = LogisticRegression().fit(x, y)
last = Own().fit(x, y)
print(seen, own.score(x, y), halved.score(x, y), plain.score(x, y), np.random.rand())
