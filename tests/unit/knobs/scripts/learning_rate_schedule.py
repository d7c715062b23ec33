import numpy as np
from tensorflow import keras

EPOCHS = 5  #: epochs
steps = 10 * EPOCHS
schedule = keras.optimizers.schedules.ExponentialDecay(0.05, decay_steps=steps, decay_rate=0.9)  #: learning_rate decay_rate
model = keras.Sequential([keras.layers.Dense(6, activation="relu"), keras.layers.Dense(1)])  #: dense_block units activation
model.compile(optimizer=keras.optimizers.SGD(learning_rate=schedule, momentum=0.8, nesterov=True), loss="mse")  #: momentum nesterov
model.fit(np.random.rand(50, 3), np.random.rand(50), epochs=EPOCHS)
