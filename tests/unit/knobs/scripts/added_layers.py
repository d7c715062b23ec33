from keras.models import Sequential
from keras.layers import Dense, Dropout, Activation
from sklearn.datasets import load_breast_cancer

data = load_breast_cancer()
clf = Sequential()
clf.add(Dense(30, input_dim=30))  #: units
clf.add(Activation('relu'))  #: activation
clf.add(Dropout(0.2))  #: dropout
# second hidden layer
clf.add(Dense(units=15, activation='relu'))   # half of the features  #: dense_block units activation
clf.add(Dense(1))
clf.add(Activation('sigmoid'))
clf.compile(loss='binary_crossentropy', optimizer='rmsprop', metrics=['accuracy'])  #: optimizer
hist = clf.fit(data.data, data.target, epochs=10, batch_size=10, verbose=0)  #: epochs batch_size
print(hist.history['accuracy'][-1])
