from keras import Sequential
from keras.layers import Dense, Input
from sklearn.datasets import load_wine

X, y = load_wine(return_X_y=True)
model = Sequential([Input((13,))])
for width in [32, 16, 8]:  #: units units units
    model.add(Dense(width, activation="relu"))  #: activation
model.add(Dense(3, activation="softmax"))
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])  #: optimizer
model.fit(X, y, epochs=4)  #: epochs
