"""Keras' callbacks and the script's own, their files, and what their functions remember."""
# kill: validation 40, batch 58
# resumed: 5

import json
import os

import keras
import numpy as np
from keras import layers
from keras.callbacks import (
    CSVLogger,
    EarlyStopping,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
)

rng = np.random.RandomState(3)
x = rng.rand(240, 6).astype("float32")
y = (x[:, 0] + x[:, 1] + 0.6 * rng.rand(240) > 1.3).astype("int64")
losses, best = [], None
log = open("log.txt", "w")
log.write("begun\n")


class Tracker:
    counts = []

    def __init__(self):
        self.count = 0

    def update(self, epoch, logs):
        self.count += 1
        self.counts.append(epoch)


class Own(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.rng = np.random.default_rng(5)
        self.tracker = Tracker()
        self.weight = keras.Variable(1.0)
        self.seen = {}

    def on_epoch_end(self, epoch, logs=None):
        self.weight.assign(self.weight * 0.5)
        self.seen[epoch] = float(self.rng.random()) * float(self.weight)
        remember(logs["val_loss"])
        print(self.model.evaluate(x[160:], y[160:], verbose=0))


def remember(loss):
    global best
    losses.append(loss)
    best = loss if best is None else min(best, loss)
    log.write(f"{loss:.6f}\n")


def counter():
    count = 0

    def on_epoch_end(epoch, logs):
        nonlocal count
        count += 1
        print("epochs:", count)

    return on_epoch_end


model = keras.Sequential(
    [keras.Input((6,)), layers.Dense(8, activation="relu"), layers.Dense(2, activation="softmax")]
)
model.compile(keras.optimizers.Adam(0.05), "sparse_categorical_crossentropy", metrics=["accuracy"])
os.makedirs("saved", exist_ok=True)
own = Own()
history = model.fit(
    x[:160],
    y[:160],
    batch_size=16,
    epochs=40,
    validation_data=(x[160:], y[160:]),
    verbose=0,
    callbacks=[
        EarlyStopping(patience=4, restore_best_weights=True),
        ReduceLROnPlateau(patience=1, factor=0.5, min_delta=0.002),
        ModelCheckpoint("saved/best.keras", save_best_only=True),
        ModelCheckpoint(
            os.environ.get("TMPDIR", "/tmp") + "/checkpoint.weights.h5", save_weights_only=True
        ),
        CSVLogger("epochs.csv"),
        LearningRateScheduler(lambda epoch, rate: rate * 0.99),
        LambdaCallback(on_epoch_end=counter()),
        LambdaCallback(on_epoch_end=own.tracker.update),
        own,
    ],
)
log.close()
print(json.dumps(history.history), len(history.epoch))
print(losses, best, own.seen, own.tracker.count, Tracker.counts, float(own.weight), open("log.txt").read())
print(open("epochs.csv").read())
print(keras.models.load_model("saved/best.keras").evaluate(x[:160], y[:160], verbose=0))
model.load_weights(os.environ.get("TMPDIR", "/tmp") + "/checkpoint.weights.h5")
print(model.evaluate(x[160:], y[160:], verbose=0))
