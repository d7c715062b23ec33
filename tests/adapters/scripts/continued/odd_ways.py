"""A CallbackList of the script's own, a callback that trains another model, and a loop by hand."""
# kill: batch 6, batch 6 of fit 3
# resumed: 3
# notes: the training at odd_ways.py:39 begins again: a callback; a loop over train_on_batch begins

import json

import keras
import numpy as np
from keras import layers

x = np.random.RandomState(3).rand(80, 6).astype("float32")


def make():
    model = keras.Sequential([keras.Input((6,)), layers.Dropout(0.2), layers.Dense(6)])
    model.compile("adam", "mse")
    return model


class Rival(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.rival = make()

    def on_epoch_end(self, epoch, logs=None):
        self.rival.fit(x, x, verbose=0)


model = make()
stopping = keras.callbacks.EarlyStopping(monitor="loss", patience=2)
own = keras.callbacks.CallbackList(
    [stopping], add_history=True, model=model, epochs=3, steps=4, verbose=0
)
print(json.dumps(model.fit(x, x, batch_size=20, epochs=3, callbacks=own, verbose=0).history))

model = make()
rival = Rival()
history = model.fit(x, x, batch_size=20, epochs=3, callbacks=[rival], verbose=0)
print(json.dumps(history.history))
print(rival.rival.evaluate(x, x, verbose=0))

for start in range(0, 80, 20):
    loss = model.train_on_batch(x[start : start + 20], x[start : start + 20])
print(float(np.asarray(loss)))
