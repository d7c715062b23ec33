"""The model that counts is the one that was proven, not the one trained last."""
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


good, other = make(), make()
good.fit(x_train, y_train, epochs=1, verbose=0)
print(good.evaluate(x_test, y_test, verbose=0))  #: held-out loss accuracy
good.save_weights("good.weights.h5")
other.fit(x_train, y_train, epochs=1, verbose=0)
