"""Metrics of scikit-learn on what a Keras model says."""
# epochs: 1
# model: keras
# confusion: 2
# compare

import keras
import numpy as np
from keras import layers
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, roc_auc_score

rng = np.random.RandomState(3)
x = rng.rand(240, 6).astype("float32")
y = (x[:, 0] + x[:, 1] > 1).astype("int64")
x_train, y_train, x_test, y_test = x[:160], y[:160], x[160:], y[160:]


def make(classes=2):
    model = keras.Sequential(
        [keras.Input((6,)), layers.Dense(8, activation="relu"), layers.Dense(classes, activation="softmax")]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


model = make()
model.fit(x_train, y_train, epochs=1, verbose=0)
said = model.predict(x_test, verbose=0)
print(accuracy_score(y_test, said.argmax(axis=1)))  #: held-out accuracy
print(roc_auc_score(y_test, said[:, 1]))  #: held-out auc
print(f1_score(y_train, np.argmax(model.predict(x_train, verbose=0), axis=1)))  #: training f1
print(confusion_matrix(y_test, said.argmax(axis=1)))
