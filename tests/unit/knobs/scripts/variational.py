import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers

latent_dim = 2
inputs = keras.Input(shape=(20,))
h = layers.Dense(16, activation="relu")(inputs)  #: units activation
z_mean = layers.Dense(latent_dim, name="z_mean")(h)
z_log_var = layers.Dense(latent_dim, name="z_log_var")(h)

def sampling(args):
    mean, log_var = args
    return mean + keras.ops.exp(0.5 * log_var) * keras.random.normal(shape=(keras.ops.shape(mean)[0], latent_dim))

z = layers.Lambda(sampling, output_shape=(latent_dim,))([z_mean, z_log_var])
d = layers.Dense(16, activation="relu")(z)  #: units activation
outputs = layers.Dense(20, activation="sigmoid")(d)
vae = keras.Model(inputs, outputs)
vae.compile(optimizer="rmsprop", loss="mse")  #: optimizer
x = np.random.rand(40, 20)
vae.fit(x, x, epochs=1, batch_size=20)  #: epochs batch_size
