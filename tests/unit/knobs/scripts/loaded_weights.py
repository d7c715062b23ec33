import numpy as np
from tensorflow import keras

x, y = np.random.rand(100, 4), np.random.randint(0, 3, 100)
model = keras.Sequential([
    keras.Input((4,)),
    keras.layers.Dense(8, activation="relu"),
    keras.layers.Dropout(0.2),  #: dropout
    keras.layers.Dense(3, activation="softmax"),
])
model.load_weights("pretrained.weights.h5")
model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy")  #: optimizer
model.fit(x, y, epochs=5)  #: epochs
