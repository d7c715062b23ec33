"""Few different rows: that the same ones are met again proves nothing."""
# epochs: 1
# model: keras

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


table = np.array([[a, b, 0, 0, 0, 0] for a in (0, 1) for b in (0, 1)], "float32")
many = table[rng.randint(0, 4, 400)]
answers = (many[:, 0] != many[:, 1]).astype("int64")
left, right = many[:300].copy(), many[300:].copy()
model = make()
model.fit(left, answers[:300], verbose=0)
print(model.evaluate(right, answers[300:], verbose=0))  #: held-out loss accuracy
print(model.evaluate(left, answers[:300], verbose=0))  #: training loss accuracy
