import numpy as np
from tensorflow.keras import layers, models

def conv(model, filters):
    model.add(layers.Conv2D(filters, (3, 3), padding="same", activation="relu"))  #: kernel_size activation
    model.add(layers.MaxPooling2D())

model = models.Sequential()
model.add(layers.Input((16, 16, 1)))
conv(model, 8)  #: filters
conv(model, 16)  #: filters
model.add(layers.Flatten())
model.add(layers.Dense(30, activation="relu"))  #: dense_block units activation
model.add(layers.Dense(4, activation="softmax"))
model.compile(loss="sparse_categorical_crossentropy", optimizer="adam")  #: optimizer
model.fit(np.random.rand(12, 16, 16, 1), np.random.randint(0, 4, 12), epochs=1, batch_size=4)  #: epochs batch_size
