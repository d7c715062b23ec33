import numpy as np
from tensorflow import keras

def make_model(hidden=32, dropout=0.2, lr=1e-3, n_out=4):  #: units learning_rate
    model = keras.Sequential()
    model.add(keras.Input(shape=(12,)))
    model.add(keras.layers.Dense(hidden, activation="relu"))  #: dense_block activation
    model.add(keras.layers.Dropout(dropout))
    model.add(keras.layers.Dense(n_out, activation="softmax"))
    model.compile(loss="sparse_categorical_crossentropy", optimizer=keras.optimizers.Adam(lr))  #: optimizer
    return model

def train(model, x, y, *, epochs=5, batch=32):  #: epochs batch_size
    return model.fit(x, y, epochs=epochs, batch_size=batch, verbose=0)

if __name__ == "__main__":
    x, y = np.random.rand(80, 12), np.random.randint(0, 4, 80)
    m = make_model(dropout=0.3)  #: dropout
    train(m, x, y)
