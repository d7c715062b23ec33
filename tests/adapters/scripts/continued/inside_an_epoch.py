"""Arrays, in epochs that are long: checkpoints stand between two batches."""
# kill: batch 5, batch 17
# seconds: 0
# resumed: 1

import json

import keras
import numpy as np
from keras import layers

rng = np.random.RandomState(3)
x = rng.rand(240, 6).astype("float32")
y = (x[:, 0] + x[:, 1] > 1).astype("int64")


class Counting(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.begun = self.ended = 0
        self.losses = []

    def on_train_batch_begin(self, batch, logs=None):
        self.begun += 1

    def on_train_batch_end(self, batch, logs=None):
        self.ended += 1
        self.losses.append(logs["loss"])


counting = Counting()
inputs = [keras.Input((3,)), keras.Input((3,))]
hidden = layers.Dropout(0.4)(layers.Dense(16, activation="relu")(layers.concatenate(inputs)))
model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(hidden))
optimizer = keras.optimizers.SGD(
    keras.optimizers.schedules.ExponentialDecay(0.1, 7, 0.9), momentum=0.9, use_ema=True
)
model.compile(optimizer, "binary_crossentropy", metrics=["accuracy", keras.metrics.AUC()])
history = model.fit(
    [x[:200, :3], x[:200, 3:]],
    y[:200],
    epochs=3,
    batch_size=20,
    class_weight={0: 1.0, 1: 2.0},
    validation_data=([x[200:, :3], x[200:, 3:]], y[200:]),
    validation_freq=2,
    callbacks=[counting],
    verbose=1,
)
print(json.dumps(history.history), history.epoch)
print(counting.begun, counting.ended, counting.losses)
print(model.evaluate([x[200:, :3], x[200:, 3:]], y[200:], verbose=0))
