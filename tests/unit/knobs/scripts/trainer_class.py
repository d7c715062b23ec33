import numpy as np
from tensorflow.keras import layers, models, optimizers

class Trainer:
    epochs = 3  #: epochs

    def __init__(self, units=28, lr=0.004, batch_size=10):  #: units batch_size
        self.units = units
        self.lr = lr
        self.batch_size = batch_size
        self.model = self.build()

    def build(self):
        model = models.Sequential()
        model.add(layers.Dense(self.units, activation="relu"))  #: dense_block activation
        model.add(layers.Dense(1, activation="sigmoid"))
        model.compile(optimizer=optimizers.Adam(self.lr), loss="binary_crossentropy")  #: optimizer
        return model

    def run(self, x, y):
        self.model.fit(x, y, epochs=self.epochs, batch_size=self.batch_size)

Trainer(lr=0.01).run(np.random.rand(50, 5), np.random.randint(0, 2, 50))  #: learning_rate
