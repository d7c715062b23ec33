import keras
from keras import layers
from sklearn.datasets import load_digits

num_classes = 10
input_shape = (8, 8, 1)
digits = load_digits()
x = digits.images.reshape(-1, 8, 8, 1) / 16
y = keras.utils.to_categorical(digits.target, num_classes)

model = keras.Sequential(
    [
        keras.Input(shape=input_shape),
        layers.Conv2D(16, kernel_size=(3, 3), padding="same", activation="relu"),  #: conv2d_block filters kernel_size activation
        layers.MaxPooling2D(pool_size=(2, 2)),
        layers.Conv2D(32, kernel_size=(3, 3), padding="same"),  #: conv2d_block filters kernel_size
        layers.BatchNormalization(),
        layers.Activation("relu"),  #: activation
        layers.MaxPooling2D(pool_size=(2, 2)),
        layers.Flatten(),
        layers.Dropout(0.5),  #: dropout
        layers.Dense(num_classes, activation="softmax"),
    ]
)
batch_size = 128  #: batch_size
epochs = 2  #: epochs
model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])  #: optimizer
model.fit(x, y, batch_size=batch_size, epochs=epochs, validation_split=0.1)
score = model.evaluate(x, y, verbose=0)
