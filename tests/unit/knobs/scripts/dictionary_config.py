import numpy as np
from tensorflow import keras

config = {
    "n_features": 9,
    "n_classes": 2,
    "hidden_units": 48,  #: units
    "dropout": 0.15,  #: dropout
    "learning_rate": 0.002,  #: learning_rate
    "fit": {"epochs": 6, "batch_size": 24},  #: epochs batch_size
}
x = np.random.rand(72, config["n_features"])
y = np.random.randint(0, config["n_classes"], 72)
model = keras.Sequential()
model.add(keras.Input(shape=(config["n_features"],)))
model.add(keras.layers.Dense(config["hidden_units"], activation="relu"))  #: dense_block activation
model.add(keras.layers.Dropout(config["dropout"]))
model.add(keras.layers.Dense(config["n_classes"], activation="softmax"))
model.compile(keras.optimizers.Adam(config["learning_rate"]), "sparse_categorical_crossentropy")  #: optimizer
model.fit(x, y, epochs=config["fit"]["epochs"], batch_size=config["fit"]["batch_size"])
