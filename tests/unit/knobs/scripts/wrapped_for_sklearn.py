from scikeras.wrappers import KerasClassifier
from sklearn.datasets import load_wine
from sklearn.model_selection import cross_val_score, KFold
from tensorflow.keras.layers import Dense
from tensorflow.keras.models import Sequential

def baseline_model():
    model = Sequential()
    model.add(Dense(8, input_dim=13, activation='relu'))  #: units activation
    model.add(Dense(3, activation='softmax'))
    model.compile(loss='sparse_categorical_crossentropy', optimizer='adam', metrics=['accuracy'])  #: optimizer
    return model

X, y = load_wine(return_X_y=True)
estimator = KerasClassifier(model=baseline_model, epochs=20, batch_size=5, verbose=0)  #: epochs batch_size
print(cross_val_score(estimator, X, y, cv=KFold(n_splits=3, shuffle=True)).mean())
