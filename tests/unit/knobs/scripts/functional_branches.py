import numpy as np
from tensorflow.keras.layers import Input, Dense, concatenate, Concatenate
from tensorflow.keras.models import Model

a = Input(shape=(8,), name="numbers")
b = Input(shape=(4,), name="flags")
left = Dense(16, activation="relu")(a)  #: units activation
right = Dense(6, activation="relu")(b)  #: units activation
both = concatenate([left, right])
again = Concatenate()([both, Dense(5, activation="relu")(b)])  #: units activation
h = Dense(12, activation="relu")(again)  #: units activation
price = Dense(1, name="price")(h)
kind = Dense(3, activation="softmax", name="kind")(h)
model = Model([a, b], [price, kind])
model.compile(optimizer="adam", loss=["mse", "sparse_categorical_crossentropy"])  #: optimizer
model.fit([np.random.rand(40, 8), np.random.rand(40, 4)], [np.random.rand(40), np.random.randint(0, 3, 40)], epochs=2)  #: epochs
