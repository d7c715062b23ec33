'''Keras 1: Convolution2D(n, 3, 3), nb_epoch, merge, fit_generator that counts samples.'''
# epochs: 4
# model: keras
# confusion: 10
import numpy as np

np.random.seed(1337)  # for reproducibility
from keras import backend as K
from keras.callbacks import EarlyStopping, ModelCheckpoint
from keras.layers import Input, merge
from keras.layers.advanced_activations import LeakyReLU
from keras.layers.convolutional import Convolution2D, MaxPooling2D
from keras.layers.core import Activation, Dense, Dropout, Flatten
from keras.layers.normalization import BatchNormalization
from keras.models import Model, Sequential
from keras.optimizers import SGD
from keras.preprocessing.image import ImageDataGenerator
from keras.regularizers import l2
from keras.utils import np_utils
from sklearn.datasets import load_digits

K.set_image_dim_ordering('tf')
digits = load_digits()
X, y = digits.images[:600, :, :, None].astype('float32') / 16, digits.target[:600]
X_train, X_test = X[:400], X[400:]
Y_train = np_utils.to_categorical(y[:400], 10)
Y_test = np_utils.to_categorical(y[400:], nb_classes=10)

model = Sequential()
model.add(Convolution2D(8, 3, 3, border_mode='same', input_shape=X_train.shape[1:],
                        init='he_normal', W_regularizer=l2(1e-5), dim_ordering='tf'))
model.add(Activation('relu'))
model.add(BatchNormalization(mode=0, axis=-1))
model.add(MaxPooling2D(pool_size=(2, 2), dim_ordering='tf'))
model.add(Convolution2D(nb_filter=4, nb_row=2, nb_col=2, subsample=(1, 1), bias=True))
model.add(Dropout(p=0.25))
model.add(Flatten())
model.add(Dense(output_dim=16, init='uniform'))
model.add(LeakyReLU(alpha=.1))
model.add(Dense(10))
model.add(Activation('softmax'))
print([tuple(w.shape) for w in model.get_weights()][:2])
sgd = SGD(lr=0.05, decay=1e-6, momentum=0.9, nesterov=True)
model.compile(loss='categorical_crossentropy', optimizer=sgd, metrics=['accuracy'])
h = model.fit(X_train, Y_train, batch_size=64, nb_epoch=3, verbose=0,
              validation_data=(X_test, Y_test),
              callbacks=[ModelCheckpoint('w.{epoch:02d}-{val_acc:.2f}.hdf5', monitor='val_acc',
                                         save_best_only=True, mode='max'),
                         EarlyStopping(monitor='val_acc', patience=5)])
print(sorted(h.history), len(h.history['acc']), len(h.history['val_acc']))
datagen = ImageDataGenerator(width_shift_range=0.1)
datagen.fit(X_train)
model.fit_generator(datagen.flow(X_train, Y_train, batch_size=50), samples_per_epoch=400,
                    nb_epoch=1, verbose=0)
score = model.evaluate(X_test, Y_test, verbose=0)  #: validation loss accuracy
print('Test accuracy:', score[1], model.predict_classes(X_test).shape)
model.save_weights('w.h5', overwrite=True)
model.load_weights('w.h5')
model.save('model.hdf5')
a = Input(shape=(4,))
joined = merge([Dense(3)(a), Dense(3)(a)], mode='concat')
print(Model(input=a, output=joined).output_shape, K.image_dim_ordering())
