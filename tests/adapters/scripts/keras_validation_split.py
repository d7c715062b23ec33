"""The split's part is validation data, the whole array is training data."""
# epochs: 2
# model: keras
# confusion: 2

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
model.fit(x_train, y_train, epochs=2, validation_split=0.25, verbose=0)
print(model.evaluate(x_train, y_train, verbose=0))  #: training loss accuracy
print(model.evaluate(x_train[120:], y_train[120:], verbose=0))  #: validation loss accuracy
print(model.evaluate(x_train[:120], y_train[:120], verbose=0))  #: training loss accuracy
print(model.evaluate(x_test, y_test, verbose=0))  #: held-out loss accuracy
