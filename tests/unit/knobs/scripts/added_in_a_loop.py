from keras import Sequential
from keras.layers import Dense, Dropout, Input
from sklearn.datasets import load_wine

N_LAYERS = 3
WIDTH = 20  #: units
X, y = load_wine(return_X_y=True)
model = Sequential()
model.add(Input((13,)))
for i in range(N_LAYERS):
    model.add(Dense(WIDTH, activation="relu"))  #: activation
    model.add(Dropout(0.1))  #: dropout
model.add(Dense(3, activation="softmax"))
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])  #: optimizer
model.fit(X, y, epochs=4)  #: epochs
