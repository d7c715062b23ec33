"""Several fits of two models, within functions; one goes on where another ended."""
# kill: batch 19 of fit 3, batch 12 of fit 4
# seconds: 0
# resumed: 10

import json

import keras
import numpy as np
from keras import layers

rng = np.random.RandomState(3)
x = rng.rand(160, 6).astype("float32")
y = (x[:, 0] + x[:, 1] > 1).astype("int64")


class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden = layers.Dense(8, activation="relu")
        self.drop = layers.Dropout(0.3)
        self.out = layers.Dense(2, activation="softmax")

    def call(self, inputs, training=False):
        return self.out(self.drop(self.hidden(inputs), training=training))


def train(model, epochs, **options):
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], **options)
    history = model.fit(x[:120], y[:120], batch_size=20, epochs=epochs, verbose=0)
    print(json.dumps(history.history))
    print(model.evaluate(x[120:], y[120:], verbose=0))


first = Net()
train(first, 2)
train(first, 2)
second = keras.Sequential(
    [keras.Input((6,)), layers.GaussianNoise(0.1), layers.Dense(2, activation="softmax")]
)
train(second, 4, run_eagerly=True)
print(np.random.rand(), x[np.random.permutation(3)].sum())
train(Net(), 3)
