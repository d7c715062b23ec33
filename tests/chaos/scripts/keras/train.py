"""A tiny network as people write them: nothing of pushtrain's, and randomness everywhere."""

import ledger
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tensorflow import keras

EPOCHS = 8


class Noting(keras.callbacks.Callback):
    """Writes down every epoch that is really trained, and what was saved before."""

    def on_epoch_begin(self, epoch, logs=None):
        ledger.note_saved()

    def on_epoch_end(self, epoch, logs=None):
        ledger.note("trained", epoch + 1)


print("begins", flush=True)
images, digits = load_digits(return_X_y=True)
x, x_test, y, y_test = train_test_split(
    images.astype("float32") / 16, digits, test_size=0.5, random_state=0
)
model = keras.Sequential(
    [
        keras.layers.Input((64,)),
        keras.layers.GaussianNoise(0.1),
        keras.layers.Dense(24, activation="relu"),
        keras.layers.Dropout(0.2),
        keras.layers.Dense(10, activation="softmax"),
    ]
)
model.compile(
    loss="sparse_categorical_crossentropy",
    optimizer=keras.optimizers.Adam(learning_rate=0.003),
    metrics=["accuracy"],
)
model.fit(
    x,
    y,
    epochs=EPOCHS,
    batch_size=4,
    shuffle=True,
    verbose=0,
    validation_split=0.2,
    callbacks=[
        Noting(),
        keras.callbacks.EarlyStopping(patience=3, restore_best_weights=True),
        keras.callbacks.ReduceLROnPlateau(patience=1, factor=0.5),
    ],
)
loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
print(f"accuracy {accuracy:.4f}")
ledger.tell()
