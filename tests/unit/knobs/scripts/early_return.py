import numpy as np
from tensorflow.keras import layers, models

def build(simple=False):
    m = models.Sequential()
    if simple:
        m.add(layers.Dense(3, activation="softmax"))
        return m
    m.add(layers.Dense(24, activation="relu"))  #: dense_block units activation
    m.add(layers.Dense(3, activation="softmax"))
    return m

X = np.random.rand(60, 5)
y = np.random.randint(0, 3, 60)
net = build()
net.compile(loss="sparse_categorical_crossentropy", optimizer="adam")  #: optimizer
net.fit(X, y, epochs=2)  #: epochs
