'''MNIST, Keras 1.2, Theano dimension ordering.'''
from __future__ import print_function
import numpy as np
from keras.datasets import mnist
from keras.models import Sequential
from keras.layers.core import Dense, Dropout, Activation, Flatten
from keras.layers.convolutional import Convolution2D, MaxPooling2D
from keras.utils import np_utils

batch_size = 128  #: batch_size
nb_classes = 10
nb_epoch = 12  #: epochs
img_rows, img_cols = 28, 28
nb_filters = 32  #: filters
pool_size = (2, 2)
kernel_size = (3, 3)

(X_train, y_train), (X_test, y_test) = mnist.load_data()
X_train = X_train.reshape(X_train.shape[0], img_rows, img_cols, 1)
Y_train = np_utils.to_categorical(y_train, nb_classes)

model = Sequential()
model.add(Convolution2D(nb_filters, kernel_size[0], kernel_size[1], border_mode='valid', input_shape=(img_rows, img_cols, 1)))
model.add(Activation('relu'))  #: activation
model.add(Convolution2D(nb_filters, 3, 3, border_mode='same'))  #: kernel_size
model.add(Activation('relu'))  #: activation
model.add(MaxPooling2D(pool_size=pool_size))
model.add(Dropout(0.25))  #: dropout
model.add(Flatten())
model.add(Dense(output_dim=128))  #: dense_block units
model.add(Activation('relu'))  #: activation
model.add(Dropout(p=0.5))  #: dropout
model.add(Dense(nb_classes))
model.add(Activation('softmax'))
model.compile(loss='categorical_crossentropy', optimizer='adadelta', metrics=['accuracy'])  #: optimizer
model.fit(X_train, Y_train, batch_size=batch_size, nb_epoch=nb_epoch, verbose=1)
