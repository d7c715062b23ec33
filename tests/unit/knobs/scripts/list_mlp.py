# iris with a small dense network
import numpy as np
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split
from tensorflow.keras.models import Sequential
from tensorflow.keras.layers import Dense, Dropout
from tensorflow.keras.utils import to_categorical

iris = load_iris()
X_train, X_test, y_train, y_test = train_test_split(iris.data, to_categorical(iris.target), test_size=0.25, random_state=3)

model = Sequential([
    Dense(16, activation='relu', input_shape=(4,)),  #: units activation
    Dropout(0.1),  #: dropout
    Dense(8, activation='relu'),  #: dense_block units activation
    Dense(3, activation='softmax'),
])
model.compile(optimizer='adam', loss='categorical_crossentropy', metrics=['accuracy'])  #: optimizer
model.fit(X_train, y_train, epochs=5, batch_size=16, verbose=0)  #: epochs batch_size
print(model.evaluate(X_test, y_test, verbose=0))
