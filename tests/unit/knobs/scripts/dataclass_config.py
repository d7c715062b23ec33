from dataclasses import dataclass, field
import numpy as np
from tensorflow import keras

@dataclass
class Config:
    features: int = 9
    classes: int = 2
    units: int = 48  #: units
    rate: float = 0.15  #: dropout
    epochs: int = 6  #: epochs
    batch_size: int = field(default=24)  #: batch_size

cfg = Config()
x = np.random.rand(72, cfg.features)
y = np.random.randint(0, cfg.classes, 72)
model = keras.Sequential()
model.add(keras.Input(shape=(cfg.features,)))
model.add(keras.layers.Dense(cfg.units, activation="elu"))  #: dense_block activation
model.add(keras.layers.Dropout(cfg.rate))
model.add(keras.layers.Dense(cfg.classes, activation="softmax"))
model.compile("adam", "sparse_categorical_crossentropy")  #: optimizer
model.fit(x, y, epochs=cfg.epochs, batch_size=cfg.batch_size)
