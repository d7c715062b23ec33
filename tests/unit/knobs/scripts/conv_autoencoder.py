import numpy as np
from tensorflow.keras import layers, models

model = models.Sequential([
    layers.Input((16, 16, 1)),
    layers.Conv2D(16, 3, activation="relu", padding="same"),  #: conv2d_block filters kernel_size activation
    layers.MaxPooling2D(2, padding="same"),
    layers.Conv2D(8, 3, activation="relu", padding="same"),  #: conv2d_block filters kernel_size activation
    layers.UpSampling2D(2),
    layers.Conv2D(1, 3, activation="sigmoid", padding="same"),
])
model.compile("adam", "mse")  #: optimizer
x = np.random.rand(20, 16, 16, 1)
model.fit(x, x, epochs=1)  #: epochs
