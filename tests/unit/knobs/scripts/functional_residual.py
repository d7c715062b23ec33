import numpy as np
from tensorflow import keras
from tensorflow.keras import layers

inputs = keras.Input(shape=(10,))
x = layers.Dense(32, activation="relu")(inputs)
y = layers.Dense(32, activation="relu")(x)
y = layers.Dropout(0.2)(y)  #: dropout
z = layers.add([x, y])
w = layers.Dense(48, activation="relu")(z)  #: units activation
w = layers.Dense(32)(w)
z = z + w
outputs = layers.Dense(1)(z)
model = keras.Model(inputs, outputs)
model.compile(loss="mse", optimizer="adam")  #: optimizer
model.fit(np.random.rand(50, 10), np.random.rand(50), batch_size=10, epochs=2)  #: batch_size epochs
