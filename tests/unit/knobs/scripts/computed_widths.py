import numpy as np
from tensorflow import keras
from tensorflow.keras import layers

base = 8  #: filters
n_out = 4
model = keras.Sequential([
    layers.Input((16, 16, 3)),
    layers.Conv2D(base, 3, padding="same", activation="relu"),  #: conv2d_block kernel_size activation
    layers.MaxPooling2D(),
    layers.Conv2D(base * 2, 3, padding="same", activation="relu"),  #: conv2d_block kernel_size activation
    layers.MaxPooling2D(),
    layers.Conv2D(2 * base * 2, 3, activation="relu"),  #: activation
    layers.GlobalMaxPooling2D(),
    layers.Dense(n_out * 10, activation="relu"),  #: dense_block activation
    layers.Dense(n_out, activation="softmax"),
])
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")  #: optimizer
model.fit(np.random.rand(8, 16, 16, 3), np.random.randint(0, n_out, 8), epochs=1)  #: epochs
