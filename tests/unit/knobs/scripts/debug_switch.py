import os
import numpy as np
from tensorflow.keras import layers, models

DEBUG = os.environ.get("DEBUG")
EPOCHS = 1 if DEBUG else 20  #: epochs epochs
UNITS = 16
UNITS *= 2
batch = None or 25  #: batch_size
model = models.Sequential([layers.Dense(UNITS, activation="relu"), layers.Dense(14), layers.ReLU(), layers.Dense(1)])  #: dense_block activation dense_block units
model.compile(loss="mse", optimizer="adam")  #: optimizer
model.fit(np.random.rand(50, 5), np.random.rand(50), epochs=EPOCHS, batch_size=batch)
