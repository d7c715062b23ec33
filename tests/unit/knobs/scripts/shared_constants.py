"""Constants that are hyperparameters and something else: left alone."""
import numpy as np
from tensorflow import keras

SIZE = 16
N = 10
BATCH = 20
EPOCHS = 3
x = np.random.rand(200, SIZE, SIZE).reshape(-1, SIZE * SIZE)
y = np.random.randint(0, N, 200)[: BATCH * 10]

model = keras.Sequential([
    keras.Input((SIZE * SIZE,)),
    keras.layers.Dense(SIZE, activation="relu"),  #: dense_block activation
    keras.layers.Dense(N, activation="relu"),  #: dense_block activation
    keras.layers.Dense(N, activation="softmax"),
])
model.compile(loss="sparse_categorical_crossentropy", optimizer="adam")  #: optimizer
history = model.fit(x, y, batch_size=BATCH, epochs=EPOCHS)
assert len(history.epoch) == EPOCHS
