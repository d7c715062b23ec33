"""Layers are picked by their place: none may come or go."""
import numpy as np
from tensorflow import keras

x, y = np.random.rand(60, 5), np.random.rand(60, 1)
model = keras.Sequential([
    keras.Input((5,)),
    keras.layers.Dense(9, activation="relu"),  #: units activation
    keras.layers.Dense(4, activation="relu"),  #: units activation
    keras.layers.Dense(1),
])
model.compile(loss="mse", optimizer="adam")  #: optimizer
model.fit(x, y, epochs=2)  #: epochs
features = keras.Model(model.inputs, model.layers[-2].output)
print(features.predict(x).shape)
