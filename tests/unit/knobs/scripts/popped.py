import numpy as np
from tensorflow.keras import layers, models

model = models.Sequential([layers.Input((6,)), layers.Dense(10, activation="relu"), layers.Dense(5, activation="softmax")])
model.pop()
model.add(layers.Dense(2, activation="softmax"))
model.compile(loss="sparse_categorical_crossentropy", optimizer="adam")  #: optimizer
model.fit(np.random.rand(40, 6), np.random.randint(0, 2, 40), epochs=2)  #: epochs
