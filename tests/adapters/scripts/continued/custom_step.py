"""A train step of the script's own with two optimizers and a variable that Keras does not know."""
# kill: batch 14
# seconds: 0
# resumed: 2

import json

import keras
import numpy as np
import tensorflow as tf
from keras import layers

rng = np.random.RandomState(3)
x = rng.rand(160, 6).astype("float32")


class Pair(keras.Model):
    def __init__(self):
        super().__init__()
        self.encoder = keras.Sequential([layers.Dense(3), layers.GaussianNoise(0.1)])
        self.decoder = layers.Dense(6)
        self.beta = tf.Variable(1.0, trainable=False)
        self.tracker = keras.metrics.Mean(name="error")

    def compile(self, encoder_optimizer, decoder_optimizer):
        super().compile()
        self.encoder_optimizer = encoder_optimizer
        self.decoder_optimizer = decoder_optimizer

    @property
    def metrics(self):
        return [self.tracker]

    def call(self, inputs, training=False):
        return self.decoder(self.encoder(inputs, training=training))

    def train_step(self, data):
        with tf.GradientTape(persistent=True) as tape:
            loss = self.beta * tf.reduce_mean(tf.square(data - self(data, training=True)))
        for part, optimizer in (
            (self.encoder, self.encoder_optimizer),
            (self.decoder, self.decoder_optimizer),
        ):
            weights = part.trainable_weights
            optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights))
        self.beta.assign(self.beta * 0.99)
        self.tracker.update_state(loss)
        return {"error": self.tracker.result(), "beta": self.beta}


model = Pair()
model.compile(keras.optimizers.Adam(), keras.optimizers.RMSprop())
history = model.fit(x, epochs=4, batch_size=32, verbose=0)
print(json.dumps(history.history))
print(float(model.beta), model.predict(x[:4], verbose=0).tolist())
