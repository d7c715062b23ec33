import numpy as np
import keras

class Encoder(keras.layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.hidden = keras.layers.Dense(32, activation="relu")  #: units activation
        self.code = keras.layers.Dense(4)

    def call(self, x):
        return self.code(self.hidden(x))

class Classifier(keras.Model):
    def __init__(self):
        super().__init__()
        self.encoder = Encoder()
        self.head = keras.layers.Dense(2, activation="softmax")

    def call(self, x):
        return self.head(self.encoder(x))

model = Classifier()
model.compile(loss="sparse_categorical_crossentropy", optimizer=keras.optimizers.Adam(learning_rate=1e-3, beta_1=0.9))  #: learning_rate beta_1
model.fit(np.random.rand(64, 10), np.random.randint(0, 2, 64), epochs=2)  #: epochs
