"""Arrays: shuffled, augmented by layers, with dropout, batch normalization and a validation split."""
# kill: batch 9, batch 22
# resumed: 2

import json

import keras
from keras import layers
from sklearn.datasets import load_digits

x, y = load_digits(return_X_y=True)
x = (x[:400] / 16).reshape(-1, 8, 8, 1).astype("float32")
y = y[:400]
model = keras.Sequential(
    [
        keras.Input((8, 8, 1)),
        layers.RandomTranslation(0.1, 0.1),
        layers.Conv2D(4, 3, activation="relu"),
        layers.BatchNormalization(),
        layers.Flatten(),
        layers.Dropout(0.3),
        layers.Dense(10, activation="softmax"),
    ]
)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(x[:300], y[:300], epochs=4, validation_split=0.2, verbose=2)
print(json.dumps(history.history), history.epoch)
print(model.evaluate(x[300:], y[300:], verbose=0))
