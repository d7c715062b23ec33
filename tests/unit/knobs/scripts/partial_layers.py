from functools import partial
import numpy as np
from tensorflow.keras import layers, models

dense = partial(layers.Dense, activation="relu", kernel_initializer="he_normal")
model = models.Sequential([layers.Input((6,)), dense(44), dense(22), layers.Dense(2, activation="softmax")])  #: dense_block units dense_block units
model.compile(loss="sparse_categorical_crossentropy", optimizer="nadam")  #: optimizer
model.fit(np.random.rand(40, 6), np.random.randint(0, 2, 40), epochs=2)  #: epochs
