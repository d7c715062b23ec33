import numpy as np
import keras
from keras import layers

def block(x, filters=16, size=3):  #: filters
    y = layers.Conv2D(filters, size, padding="same", activation="relu")(x)  #: activation
    y = layers.Conv2D(16, size, padding="same")(y)
    return layers.Add()([x, y])

inputs = keras.Input((8, 8, 16))
x = block(inputs)
x = block(x)
x = layers.Conv2D(24, 3, activation="relu")(x)  #: filters activation
x = layers.GlobalAveragePooling2D()(x)
outputs = layers.Dense(10, activation="softmax")(x)
model = keras.Model(inputs, outputs)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])  #: optimizer
model.fit(np.random.rand(16, 8, 8, 16), np.random.randint(0, 10, 16), epochs=1)  #: epochs
