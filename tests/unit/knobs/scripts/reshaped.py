"""A reshape fixes the width before it."""
import numpy as np
from tensorflow.keras import layers, Sequential

model = Sequential([
    layers.Input((32,)),
    layers.Dense(40, activation="relu"),  #: dense_block units activation
    layers.Dense(7 * 7 * 4, activation="relu"),  #: dense_block activation
    layers.Dense(49, activation="relu"),
    layers.Reshape((7, 7, 1)),
    layers.Conv2DTranspose(8, 3, strides=2, padding="same", activation="relu"),  #: filters activation
    layers.Conv2D(1, 3, padding="same", activation="sigmoid"),
])
model.compile(optimizer="adam", loss="mse")  #: optimizer
model.fit(np.random.rand(10, 32), np.random.rand(10, 14, 14, 1), epochs=1)  #: epochs
