import numpy as np
from tensorflow import keras

table = np.random.rand(30, 12)
model = keras.Sequential([
    keras.layers.Embedding(30, 12),
    keras.layers.GlobalAveragePooling1D(),
    keras.layers.Dropout(0.2),  #: dropout
    keras.layers.Dense(10, activation="relu"),
    keras.layers.Dense(1),
])
model.build((None, 4))
model.layers[0].set_weights([table])
model.compile(loss="mse", optimizer="adam")  #: optimizer
model.fit(np.random.randint(0, 30, (20, 4)), np.random.rand(20), epochs=2)  #: epochs
model.save("with_table.keras")
