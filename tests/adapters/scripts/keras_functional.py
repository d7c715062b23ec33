"""Two inputs, two outputs, and layers that two models share."""
# epochs: 1
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


a, b = keras.Input((3,), name="a"), keras.Input((3,), name="b")
both = layers.concatenate([layers.Dense(4, activation="relu")(a), b])
first = layers.Dense(2, activation="softmax", name="first")(both)
second = layers.Dense(1, name="second")(both)
model = keras.Model([a, b], [first, second])
model.compile("adam", {"first": "sparse_categorical_crossentropy", "second": "mse"}, metrics={"first": "accuracy", "second": "mae"})
parts = lambda z: [z[:, :3], z[:, 3:]]
model.fit(parts(x_train), [y_train, x_train[:, 5]], verbose=0)
print(model.evaluate(parts(x_test), [y_test, x_test[:, 5]], verbose=0))  #: held-out loss first_loss second_loss first_accuracy second_mae
print(model.evaluate(parts(x_train.copy()), [y_train, x_train[:, 5]], verbose=0))  #: training loss first_loss second_loss first_accuracy second_mae
half = keras.Model([a, b], first)
half.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
print(half.evaluate(parts(x_train), y_train, verbose=0))  #: training loss accuracy
print(half.evaluate({"a": x_test[:, :3], "b": x_test[:, 3:]}, y_test, return_dict=True, verbose=0))  #: held-out loss accuracy
