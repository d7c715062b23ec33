"""A Python generator that draws its rows, and a training loop of old by fit_generator."""
# kill: batch 7, batch 18 of fit 2
# seconds: 0
# resumed: 3

import json

import keras
import numpy as np
from keras import layers

rng = np.random.RandomState(3)
x = rng.rand(200, 6).astype("float32")
y = (x[:, 0] + x[:, 1] > 1).astype("int64")


def stream(rng):
    while True:
        rows = rng.randint(0, 160, 16)
        yield x[rows] + rng.normal(size=(16, 6)) * 0.05, y[rows]


model = keras.Sequential(
    [keras.Input((6,)), layers.Dropout(0.2), layers.Dense(2, activation="softmax")]
)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(stream(np.random), steps_per_epoch=5, epochs=3, verbose=0)
print(json.dumps(history.history))
history = model.fit_generator(stream(rng), 5, epochs=2, verbose=0, validation_data=(x[160:], y[160:]))
print(json.dumps(history.history))
print(model.evaluate(x[160:], y[160:], verbose=0))
