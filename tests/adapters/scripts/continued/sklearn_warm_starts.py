"""Ensembles that grow, and a network that goes on; only some of the calls are saved."""
# kill: call 6, call 13, call 22
# every: 2
# again: 11
# resumed: 0

import warnings

import numpy as np
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

warnings.simplefilter("ignore")
x, y = make_classification(400, 12, random_state=3)
forest = RandomForestClassifier(warm_start=True, random_state=2)
models = [
    GradientBoostingClassifier(warm_start=True, subsample=0.5),
    HistGradientBoostingClassifier(warm_start=True, early_stopping=False),
    MLPClassifier((16,), warm_start=True, verbose=True, random_state=np.random.RandomState(4)),
    LogisticRegression(warm_start=True, solver="saga"),
    forest,
]
tree = None
for size in range(3, 18, 3):
    for model in models:
        grows = "n_estimators" in model.get_params()
        model.set_params(**{"n_estimators" if grows else "max_iter": size})
        model.fit(x[:300], y[:300])
        print(type(model).__name__, model.score(x[300:], y[300:]), np.random.rand())
    tree = forest.estimators_[0] if tree is None else tree
    print(tree is forest.estimators_[0])
