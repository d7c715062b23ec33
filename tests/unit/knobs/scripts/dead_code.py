"""Dense(512, activation='relu'), epochs=100"""
import numpy as np
from tensorflow.keras import layers, models

def old_model():
    return models.Sequential([layers.Dense(512, activation="relu"), layers.Dropout(0.5), layers.Dense(1)])

def model_for(size):
    return models.Sequential([layers.Dense(18, activation="relu"), layers.Dense(size)])  #: dense_block units activation

EXAMPLE = """
model.fit(x, y, epochs=50, batch_size=64)
"""
# model.fit(x, y, epochs=60)
if False:
    model_for(3).fit(1, 2, epochs=70)
model = model_for(1)
model.compile(loss="mse", optimizer="adam")  #: optimizer
model.fit(np.random.rand(50, 5), np.random.rand(50), epochs=2)  #: epochs
