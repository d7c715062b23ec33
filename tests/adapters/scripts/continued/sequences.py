"""A PyDataset that shuffles itself and draws noise, and images that are augmented."""
# kill: batch 11, batch 7 of fit 2
# resumed: 4

import json

import keras
import numpy as np
from keras import layers

rng = np.random.RandomState(3)
x = rng.rand(120, 6).astype("float32")
y = (x[:, 0] + x[:, 1] > 1).astype("int64")


class Batches(keras.utils.PyDataset):
    def __init__(self):
        super().__init__()
        self.order = np.arange(len(x))

    def __len__(self):
        return 6

    def __getitem__(self, index):
        rows = self.order[index * 20 : index * 20 + 20]
        return x[rows] + np.random.normal(size=(20, 6)) * 0.05, y[rows]

    def on_epoch_end(self):
        np.random.shuffle(self.order)


model = keras.Sequential(
    [keras.Input((6,)), layers.Dropout(0.2), layers.Dense(2, activation="softmax")]
)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(Batches(), epochs=3, verbose=0)
print(json.dumps(history.history))

images = rng.rand(60, 8, 8, 1)
kinds = rng.randint(0, 2, 60)
model = keras.Sequential(
    [
        keras.Input((8, 8, 1)),
        layers.Conv2D(2, 3),
        layers.Flatten(),
        layers.Dense(2, activation="softmax"),
    ]
)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
flow = keras.src.legacy.preprocessing.image.ImageDataGenerator(
    rotation_range=20, horizontal_flip=True
)
history = model.fit(flow.flow(images, kinds, batch_size=15), epochs=3, verbose=0)
print(json.dumps(history.history))
print(model.evaluate(images, kinds, verbose=0))
