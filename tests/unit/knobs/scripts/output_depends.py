"""The last layer is one of two: neither may change."""
import sys
import numpy as np
from tensorflow.keras import layers, models

def build(n_classes):
    m = models.Sequential()
    m.add(layers.Input(shape=(20,)))
    m.add(layers.Dense(40, activation="relu"))
    if n_classes == 2:
        m.add(layers.Dense(1, activation="sigmoid"))
        m.compile(loss="binary_crossentropy", optimizer="adam")  #: optimizer
    else:
        m.add(layers.Dense(4, activation="softmax"))
        m.compile(loss="sparse_categorical_crossentropy", optimizer="adam")  #: optimizer
    return m

X = np.random.rand(100, 20)
y = np.random.randint(0, 4, 100)
build(4).fit(X, y, epochs=2)  #: epochs
