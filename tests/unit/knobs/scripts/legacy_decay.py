from keras.models import Sequential
from keras.layers import Dense
from keras.optimizers import SGD
from keras.constraints import maxnorm
from keras.datasets import cifar10
from keras.layers import Conv2D, MaxPooling2D, Flatten, Dropout
from keras.utils import np_utils

(X_train, y_train), (X_test, y_test) = cifar10.load_data()
y_train = np_utils.to_categorical(y_train)
num_classes = y_train.shape[1]

model = Sequential()
model.add(Conv2D(32, (3, 3), input_shape=(32, 32, 3), padding='same', activation='relu', kernel_constraint=maxnorm(3)))  #: filters kernel_size activation
model.add(Dropout(0.2))  #: dropout
model.add(Conv2D(32, (3, 3), activation='relu', padding='same', kernel_constraint=maxnorm(3)))  #: conv2d_block filters kernel_size activation
model.add(MaxPooling2D(pool_size=(2, 2)))
model.add(Flatten())
model.add(Dense(512, activation='relu', kernel_constraint=maxnorm(3)))  #: dense_block units activation
model.add(Dropout(0.5))  #: dropout
model.add(Dense(num_classes, activation='softmax'))
epochs = 25  #: epochs
lrate = 0.01  #: learning_rate
decay = lrate/epochs
sgd = SGD(lr=lrate, momentum=0.9, decay=decay, nesterov=False)  #: momentum nesterov
model.compile(loss='categorical_crossentropy', optimizer=sgd, metrics=['accuracy'])
model.fit(X_train, y_train, validation_data=(X_test, y_test), epochs=epochs, batch_size=32)  #: batch_size
