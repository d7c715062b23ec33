"""A sequence of batches, by the arrays that it holds."""
# epochs: 1
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


class Batches(keras.utils.PyDataset):
    def __init__(self, a, b):
        super().__init__()
        self.a, self.b = a, b

    def __len__(self):
        return len(self.a) // 20

    def __getitem__(self, i):
        return self.a[i * 20 : i * 20 + 20], self.b[i * 20 : i * 20 + 20]


train, test = Batches(x_train, y_train), Batches(x_test, y_test)
model = make()
model.fit(train, verbose=0)
print(model.evaluate(test, verbose=0))  #: held-out loss accuracy
print(model.evaluate(train, verbose=0))  #: training loss accuracy
print(model.evaluate(Batches(x_train[:80], y_train[:80]), verbose=0))  #: training loss accuracy
