"""Loops of partial_fit with a score in between; one holds what another changes in place."""
# kill: call 5, call 17, call 30
# again: 30
# resumed: 0

import random

import numpy as np
from sklearn.cluster import MiniBatchKMeans
from sklearn.datasets import make_classification
from sklearn.linear_model import SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier

x, y = make_classification(400, 12, random_state=3)
rng = np.random.RandomState(5)
models = [
    SGDClassifier(random_state=rng),
    SGDClassifier(average=3),
    GaussianNB(),
    MLPClassifier((8,), random_state=rng),
]
weights = None
for epoch in range(8):
    chosen = rng.permutation(300)[:128]
    for model in models:
        model.partial_fit(x[chosen], y[chosen], classes=[0, 1])
        print(type(model).__name__, model.score(x[300:], y[300:]), rng.rand(), random.random())
    weights = models[0].coef_ if weights is None else weights
    print(np.random.rand(), abs(weights - models[0].coef_).sum(), weights.base is models[0].coef_)
