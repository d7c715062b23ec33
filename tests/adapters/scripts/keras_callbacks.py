"""The script's own callbacks: their list stays as it is, their order, and what they stop."""
# epochs: 4
# model: keras
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


class Mine(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        print("epoch", epoch, sorted(logs), len(callbacks))
        logs["mine"] = 1.0


callbacks = [Mine(), keras.callbacks.EarlyStopping("loss", patience=0, min_delta=100.0, restore_best_weights=True)]
model = make()
history = model.fit(x_train, y_train, epochs=9, callbacks=callbacks, verbose=0)
print(len(callbacks), history.history["mine"], history.epoch)
model.fit(x_train, y_train, epochs=1, callbacks=Mine(), verbose=0)
held = keras.callbacks.CallbackList([Mine()], add_history=True, model=model, epochs=1)
model.fit(x_train, y_train, callbacks=held, verbose=0)
print(model.evaluate(x_test, y_test, callbacks=[keras.callbacks.LambdaCallback(on_test_end=lambda logs: print("end", sorted(logs)))], verbose=0))  #: held-out loss accuracy
