import numpy as np
from tensorflow import keras

features = keras.Sequential([keras.layers.Dense(20, activation="relu"), keras.layers.Dense(10, activation="relu")])  #: dense_block units activation
model = keras.Sequential([features, keras.layers.Dense(6, activation="relu"), keras.layers.Dense(1)])  #: dense_block units activation
model.compile(loss="mse", optimizer="adam")  #: optimizer
model.fit(np.random.rand(40, 6), np.random.rand(40), epochs=2)  #: epochs
print(features.predict(np.random.rand(2, 6)).shape == (2, 10))
