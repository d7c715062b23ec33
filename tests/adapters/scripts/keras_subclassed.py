"""A class of the script's own, which cannot be saved as a whole."""
# epochs: 2
# model: keras-weights
# notes: only the model's weights are saved
# confusion: 2
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


class Net(keras.Model):
    def __init__(self, width, helper):
        super().__init__()
        self.helper = helper
        self.one = layers.Dense(width, activation="relu")
        self.two = layers.Dense(2)

    def call(self, inputs, training=False):
        return self.two(self.helper(self.one(inputs)))

    def get_config(self):
        raise NotImplementedError


model = Net(8, lambda z: z * 2)
model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
model.fit(x_train, y_train, epochs=2, verbose=0)
print(model.evaluate(x_test, y_test, verbose=0))  #: held-out loss accuracy
