"""Inputs are the targets."""
# epochs: 1
# model: keras
# confusion: none

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


model = keras.Sequential([keras.Input((6,)), layers.Dense(3, activation="relu"), layers.Dense(6, activation="sigmoid")])
model.compile("adam", "binary_crossentropy")
model.fit(x_train, x_train, epochs=1, validation_data=(x_test, x_test), verbose=0)
print(model.evaluate(x_test, x_test, verbose=0))  #: validation loss
