import numpy as np
from tensorflow import keras
from tensorflow.keras import layers

inputs = keras.Input(shape=(10,))
x = layers.Dense(32, activation="relu")(inputs)  #: units activation
x = layers.Dropout(0.3)(x)  #: dropout
x = layers.Dense(16)(x)  #: units
x = layers.LeakyReLU()(x)
outputs = layers.Dense(2, activation="softmax")(x)
model = keras.Model(inputs=inputs, outputs=outputs)
model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", metrics=["acc"])  #: optimizer learning_rate
model.fit(np.random.rand(50, 10), np.random.randint(0, 2, 50), batch_size=10, epochs=2)  #: batch_size epochs
