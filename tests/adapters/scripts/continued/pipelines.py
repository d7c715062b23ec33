"""tf.data: a shuffle buffer, a random map, and several steps an execution of a repeated pipeline."""
# kill: batch 12, batch 8 of fit 2
# seconds: 0
# resumed: 4

import json

import keras
import numpy as np
import tensorflow as tf
from keras import layers

rng = np.random.RandomState(3)
x = rng.rand(200, 6).astype("float32")
y = (x[:, 0] + x[:, 1] > 1).astype("int64")


def noisy(a, b):
    return a + tf.random.normal(tf.shape(a)) * 0.05, b


model = keras.Sequential(
    [keras.Input((6,)), layers.Dropout(0.2), layers.Dense(2, activation="softmax")]
)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
data = tf.data.Dataset.from_tensor_slices((x[:160], y[:160])).shuffle(50).map(noisy)
held = tf.data.Dataset.from_tensor_slices((x[160:], y[160:])).batch(20)
history = model.fit(data.batch(20), validation_data=held, epochs=3, verbose=0)
print(json.dumps(history.history))

endless = data.repeat().batch(16)
model.compile(
    "rmsprop", "sparse_categorical_crossentropy", metrics=["accuracy"], steps_per_execution=2
)
history = model.fit(endless, steps_per_epoch=6, epochs=4, validation_data=held, verbose=0)
print(json.dumps(history.history))
print(model.evaluate(held, verbose=0))
