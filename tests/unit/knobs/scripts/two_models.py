"""A helper adds to two models, of which one ends where the other goes on."""
import numpy as np
from tensorflow import keras

def head(net):
    net.add(keras.layers.Dense(12, activation="relu"))

a = keras.Sequential([keras.Input((5,))])
head(a)
b = keras.Sequential([keras.Input((5,))])
b.add(keras.layers.Dense(7, activation="relu"))  #: dense_block units activation
head(b)
b.add(keras.layers.Dense(12))
for net in (a, b):
    net.compile(loss="mse", optimizer="adam")  #: optimizer
    net.fit(np.random.rand(30, 5), np.random.rand(30, 12), epochs=1)  #: epochs
