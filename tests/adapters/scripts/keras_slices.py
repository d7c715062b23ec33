"""A slice, a copy, another type and another order of training data are training data."""
# epochs: 1
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
model.fit(x_train, y_train, verbose=0)
a = model.evaluate(x_train[:60], y_train[:60], verbose=0)  #: training loss accuracy
b = model.evaluate(x_train[20:60].copy(), y_train[20:60], verbose=0)  #: training loss accuracy
c = model.evaluate(x_train.astype("float64"), y_train, verbose=0)  #: training loss accuracy
order = rng.permutation(160)
d = model.evaluate(x_train[order], y_train[order], verbose=0)  #: training loss accuracy
e = model.evaluate(x, y, verbose=0)  #: training loss accuracy
f = model.evaluate(x_test.copy(), y_test, verbose=0)  #: held-out loss accuracy
print(a, b, c, d, e, f)
