"""Weights that came from a file or another model bring what they learnt."""
# epochs: 2
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
model.save("a.keras")
loaded = keras.models.load_model("a.keras")
print(loaded.evaluate(x_train, y_train, verbose=0))  #: training loss accuracy
print(loaded.evaluate(x_test, y_test, verbose=0))  #: held-out loss accuracy
model.save_weights("a.weights.h5")
other = make()
other.load_weights("a.weights.h5")
print(other.evaluate(x_train, y_train, verbose=0))  #: training loss accuracy
copy = make()
copy.set_weights(model.get_weights())
print(copy.evaluate(x_train, y_train, verbose=0))  #: training loss accuracy
fresh = make()
fresh.fit(x_test, y_test, verbose=0)
print(fresh.evaluate(x_train, y_train, verbose=0))  #: held-out loss accuracy
