import numpy as np
from tensorflow import keras

x, y = np.random.rand(60, 5), np.random.rand(60, 1)
first_epochs = 2  #: epochs
more_epochs = 3
total = first_epochs + more_epochs
rate = 0.2
keep = 1 - rate
model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(9), keras.layers.Dropout(1 - keep), keras.layers.Dense(1)])  #: dense_block units
model.compile(loss="mse", optimizer=keras.optimizers.Adam(learning_rate=0.01))  #: optimizer learning_rate
history = model.fit(x, y, epochs=first_epochs)
model.compile(loss="mse", optimizer=keras.optimizers.Adam(learning_rate=0.01 / 10))  #: optimizer
model.fit(x, y, epochs=total, initial_epoch=history.epoch[-1])
