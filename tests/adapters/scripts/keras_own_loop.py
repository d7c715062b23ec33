"""A training loop without fit, and one of train_on_batch."""
# epochs: 0
# model: keras
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


model = make()
for _ in range(2):
    for start in range(0, 160, 40):
        loss = model.train_on_batch(x_train[start : start + 40], y_train[start : start + 40])
print(model.evaluate(x_train, y_train, verbose=0))  #: training loss accuracy
print(model.evaluate(x_test, y_test, verbose=0))  #: held-out loss accuracy
other = make()
optimizer = keras.optimizers.Adam()
for start in range(0, 160, 40):
    with tf.GradientTape() as tape:
        said = other(x_train[start : start + 40], training=True)
        loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(y_train[start : start + 40], said))
    optimizer.apply_gradients(zip(tape.gradient(loss, other.trainable_variables), other.trainable_variables))
print("test accuracy:", float(np.mean(other.predict(x_test, verbose=0).argmax(1) == y_test)))
