"""A regression has no confusion."""
# epochs: 2
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


model = keras.Sequential([keras.Input((6,)), layers.Dense(4, activation="relu"), layers.Dense(1)])
model.compile("adam", "mse", metrics=["mae", "root_mean_squared_error"])
model.fit(x_train, x_train.sum(1), epochs=2, verbose=0)
print(model.evaluate(x_test, x_test.sum(1), verbose=0))  #: held-out loss mae rmse
