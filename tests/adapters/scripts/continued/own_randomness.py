"""Randomness that no checkpoint can hold: it goes on, and says that it is only approximate."""
# kill: batch 7, batch 5 of fit 2
# resumed: 4
# notes: what follows of the training at own_randomness.py:28 is only approximate: its graph; what follows of the training at own_randomness.py:31 is only approximate: its first batch

import keras
import numpy as np
import tensorflow as tf
from keras import layers

rng = np.random.default_rng()
x = np.random.RandomState(3).rand(80, 6).astype("float32")


class Sampling(layers.Layer):
    def call(self, inputs):
        return inputs + tf.random.normal(tf.shape(inputs))


def unseeded():
    while True:
        rows = rng.integers(0, 80, 20)
        yield x[rows], x[rows]


model = keras.Sequential([keras.Input((6,)), layers.Dense(3), Sampling(), layers.Dense(6)])
model.compile("adam", "mse")
model.fit(x, x, batch_size=20, epochs=3, verbose=0)
model = keras.Sequential([keras.Input((6,)), layers.Dense(6)])
model.compile("adam", "mse")
model.fit(unseeded(), steps_per_epoch=3, epochs=3, verbose=0)
