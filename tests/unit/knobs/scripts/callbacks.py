import numpy as np
from tensorflow import keras
from tensorflow.keras.callbacks import EarlyStopping, ReduceLROnPlateau, ModelCheckpoint

x, y = np.random.rand(100, 4), np.random.rand(100)
model = keras.Sequential([keras.layers.Dense(8, activation="relu", kernel_regularizer=keras.regularizers.l2(0.01)),  #: dense_block units activation l2
                          keras.layers.Dense(4, activation="relu", kernel_regularizer="l2"),  #: dense_block units activation
                          keras.layers.Dense(1)])
model.compile(optimizer=keras.optimizers.RMSprop(learning_rate=0.001, rho=0.9), loss="mae")  #: learning_rate rho
cb = [
    EarlyStopping(monitor="val_loss", patience=3, restore_best_weights=True),  #: patience
    ReduceLROnPlateau(factor=0.5, patience=2, min_lr=1e-6),  #: factor patience
    ModelCheckpoint("best.keras", save_best_only=True),
]
model.fit(x, y, epochs=5, batch_size=20, validation_split=0.2, callbacks=cb)  #: epochs batch_size
model = keras.models.load_model("best.keras")
