"""An exception inside of a callback ends the script as it would without us."""
# fails: RuntimeError
# model: keras
# epochs: 2

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


class Bad(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1:
            raise RuntimeError("enough")


model = make()
try:
    model.fit(x_train, y_train, epochs=5, callbacks=[Bad()], verbose=0)
except RuntimeError as error:
    print("caught", error)
print(model.evaluate(x_test, y_test, verbose=0))  #: held-out loss accuracy
model.fit(x_train, y_train, epochs=5, callbacks=[Bad()], verbose=0)
