"""Epochs are counted over all fits of a script."""
# epochs: 4
# model: keras

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


model = make()
model.fit(x_train[:80], y_train[:80], epochs=2, verbose=0)
print(model.evaluate(x_train[80:], y_train[80:], verbose=0))  #: held-out loss accuracy
history = model.fit(x_train[80:], y_train[80:], epochs=5, initial_epoch=3, verbose=0)
print(history.epoch)
print(model.evaluate(x_train[80:], y_train[80:], verbose=0))  #: training loss accuracy
print(model.evaluate(x_train[:80], y_train[:80], verbose=0))  #: training loss accuracy
