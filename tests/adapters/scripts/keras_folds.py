"""Each fold's model knows only its own fold; so does one that is put back to its start."""
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


for fold in range(2):
    held = np.arange(240) % 2 == fold
    model = make()
    model.fit(x[~held], y[~held], verbose=0)
    print(model.evaluate(x[held], y[held], verbose=0))  #: held-out loss accuracy
model = make()
start = model.get_weights()
for fold in range(2):
    held = np.arange(240) % 2 == fold
    model.set_weights(start)
    model.fit(x[~held], y[~held], verbose=0)
    print(model.evaluate(x[held], y[held], verbose=0))  #: held-out loss accuracy
