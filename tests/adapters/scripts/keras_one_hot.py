"""One-hot targets of a table."""
# epochs: 1
# model: keras
# confusion: 2

import keras
import numpy as np
import pandas as pd
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


frame = pd.DataFrame(x)
targets = pd.get_dummies(pd.Series(y)).astype("float32")
model = keras.Sequential([keras.Input((6,)), layers.Dense(2, activation="softmax")])
model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
model.fit(frame[:160], targets[:160], epochs=1, verbose=0)
print(model.evaluate(frame[160:], targets[160:], verbose=0))  #: held-out loss accuracy
print(model.evaluate(frame[:100], targets[:100], verbose=0))  #: training loss accuracy
