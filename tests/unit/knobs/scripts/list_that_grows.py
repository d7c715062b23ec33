import tensorflow as tf
from sklearn.datasets import load_wine

X, y = load_wine(return_X_y=True)
stack = [tf.keras.layers.Dense(12, activation="tanh")]  #: units activation
for _ in range(2):
    stack.append(tf.keras.layers.Dense(6, activation="tanh"))  #: units activation
stack.append(tf.keras.layers.Dense(3))
model = tf.keras.Sequential(stack)
model.compile("sgd", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))  #: optimizer
model.fit(X, y, epochs=3)  #: epochs
