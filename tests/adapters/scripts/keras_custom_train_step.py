"""A training step of the script's own."""
# epochs: 2
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


class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(1)
        self.seen = keras.metrics.MeanAbsoluteError(name="mae")

    def call(self, inputs):
        return self.dense(inputs)

    def train_step(self, data):
        inputs, target = data
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(target - self(inputs, training=True)[:, 0]))
        grads = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply(grads, self.trainable_variables)
        self.seen.update_state(target, self(inputs)[:, 0])
        return {"loss": loss, "mae": self.seen.result()}

    @property
    def metrics(self):
        return [self.seen]


model = Net()
model.compile(optimizer="sgd", loss="mse")
history = model.fit(x_train, x_train[:, 0], epochs=2, verbose=0)
print(sorted(history.history))
