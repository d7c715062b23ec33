"""Parts of one pipeline: disjoint, the whole, and disjoint only in one order."""
# epochs: 2
# model: keras

import keras
import numpy as np
import tensorflow as tf
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


whole = tf.data.Dataset.from_tensor_slices((x, y))
train, test = whole.skip(80).batch(32), whole.take(80).batch(32)
model = make()
model.fit(train, verbose=0)
print(model.evaluate(test, verbose=0))  #: held-out loss accuracy
print(model.evaluate(whole.batch(32), verbose=0))  #: training loss accuracy
print(model.evaluate(whole.take(120).batch(32), verbose=0))  #: training loss accuracy
mixed = whole.shuffle(240, seed=1)
other = make()
other.fit(mixed.skip(80).batch(32), verbose=0)
print(other.evaluate(mixed.take(80).batch(32), verbose=0))  #: training loss accuracy
