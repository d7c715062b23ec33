"""What the script seeds itself, before it imports Keras, stays seeded."""
# epochs: 1
# model: keras
# compare
# twice

import random

import numpy as np

np.random.seed(7)
random.seed(7)
import keras

print(np.random.rand(), random.random())
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
print(model.get_weights()[0].sum())
model.compile("adam", "mse")
model.fit(np.random.rand(20, 3), np.random.rand(20, 2), epochs=1, verbose=2)
