import tensorflow as tf
from sklearn.datasets import load_wine

X, y = load_wine(return_X_y=True)

stack = [
    tf.keras.layers.Dense(12, activation="tanh"),  #: dense_block units activation
    tf.keras.layers.Dense(3, activation="softmax"),
]
model = tf.keras.Sequential(stack)
model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])  #: optimizer
model.fit(X, y, 8, 3)  #: batch_size epochs
