"""Rows that stream by are known again."""
# epochs: 2
# model: keras
# compare

import keras
import numpy as np
from keras import layers

rng = np.random.RandomState(3)
x = rng.rand(240, 6).astype("float32")
y = (x[:, 0] + x[:, 1] > 1).astype("int64")
x_train, y_train, x_test, y_test = x[:160], y[:160], x[160:], y[160:]


def make(classes=2):
    model = keras.Sequential(
        [keras.Input((6,)), layers.Dense(8, activation="relu"), layers.Dense(classes, activation="softmax")]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def stream(a, b):
    while True:
        for start in range(0, len(a), 20):
            yield a[start : start + 20] * 1, b[start : start + 20]


model = make()
model.fit(stream(x_train, y_train), steps_per_epoch=8, epochs=2, verbose=0)
print(model.evaluate(stream(x_train, y_train), steps=4, verbose=0))  #: training loss accuracy
print(model.evaluate(stream(x_test, y_test), steps=4, verbose=0))  #: held-out loss accuracy
print(model.evaluate(x_train[:40], y_train[:40], verbose=0))  #: training loss accuracy
