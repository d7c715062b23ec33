"""One layer used twice: hidden here, output there."""
import numpy as np
from tensorflow import keras
from tensorflow.keras import layers

shared = layers.Dense(8, activation="relu")
inputs = keras.Input((5,))
code = shared(inputs)
body = layers.Dense(20, activation="relu")  #: units activation
deep = layers.Dense(4)(body(code))
twice = layers.Dense(4)(body(inputs[:, :5] if False else code))
model = keras.Model(inputs, [code, layers.average([deep, twice])])
model.compile(loss="mse", optimizer="adam")  #: optimizer
model.fit(np.random.rand(30, 5), [np.random.rand(30, 8), np.random.rand(30, 4)], epochs=1)  #: epochs
