"""Reads a digit the way a scanner does: row by row, with an LSTM."""

import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tensorflow.keras.layers import LSTM, Dense, Dropout, Input
from tensorflow.keras.models import Sequential


def load_data():
    """Every image is a sequence of 8 rows with 8 pixels each."""
    x, y = load_digits(return_X_y=True)
    x = x.reshape(-1, 8, 8) / 16.0
    return train_test_split(x, y, test_size=0.2, random_state=7)


def build_model():
    model = Sequential()
    model.add(Input(shape=(8, 8)))
    model.add(LSTM(16))
    model.add(Dropout(0.2))
    model.add(Dense(10, activation="softmax"))
    model.compile(
        loss="sparse_categorical_crossentropy",
        optimizer=tf.keras.optimizers.RMSprop(learning_rate=0.001),
        metrics=["accuracy"],
    )
    return model


def main():
    x_train, x_test, y_train, y_test = load_data()
    model = build_model()
    model.fit(
        x_train,
        y_train,
        batch_size=32,
        epochs=5,
        validation_data=(x_test, y_test),
        verbose=2,
    )
    score = model.evaluate(x_test, y_test, verbose=0)
    print("Test loss:", score[0])
    print("Test accuracy:", score[1])


if __name__ == "__main__":
    main()
