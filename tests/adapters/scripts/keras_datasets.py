"""Pipelines of tf.data, by their stages and by their source."""
# epochs: 2
# model: keras
# confusion: 2
# compare

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


train = tf.data.Dataset.from_tensor_slices((x_train, y_train)).shuffle(160, seed=1).batch(32)
test = tf.data.Dataset.from_tensor_slices((x_test, y_test)).batch(32)
model = make()
model.fit(train, epochs=2, verbose=2)
print(model.evaluate(test, verbose=0))  #: held-out loss accuracy
print(model.evaluate(train, verbose=0))  #: training loss accuracy
print(model.evaluate(train.prefetch(1), verbose=0))  #: training loss accuracy
print(model.evaluate(x_train[:100], y_train[:100], verbose=0))  #: training loss accuracy
