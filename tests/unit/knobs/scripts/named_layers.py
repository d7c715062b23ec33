from tensorflow import keras

(x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
x_train = x_train.reshape(60000, 784).astype("float32") / 255

model = keras.Sequential(name="my_first_net")
model.add(keras.layers.InputLayer(input_shape=(784,)))
model.add(keras.layers.Dense(64, activation="relu", name="first"))  #: units activation
model.add(keras.layers.Dense(64, activation="relu", name="second"))  #: units activation
model.add(keras.layers.Dense(10, name="logits"))
model.compile(
    optimizer=keras.optimizers.RMSprop(),  #: optimizer
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
model.fit(x_train, y_train, batch_size=64, epochs=2, validation_split=0.2)  #: batch_size epochs
