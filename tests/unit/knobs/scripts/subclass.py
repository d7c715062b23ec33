import numpy as np
import tensorflow as tf

class Net(tf.keras.Model):
    def __init__(self, classes=3):
        super().__init__()
        self.d1 = tf.keras.layers.Dense(24, activation="relu")  #: units activation
        self.drop = tf.keras.layers.Dropout(0.4)  #: dropout
        self.d2 = tf.keras.layers.Dense(12, activation="relu")  #: units activation
        self.out = tf.keras.layers.Dense(classes)

    def call(self, x, training=False):
        x = self.d1(x)
        x = self.drop(x, training=training)
        x = self.d2(x)
        return self.out(x)

net = Net()
net.compile(optimizer=tf.keras.optimizers.SGD(learning_rate=0.05),  #: optimizer learning_rate
            loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
net.fit(np.random.rand(90, 6), np.random.randint(0, 3, 90), epochs=3, batch_size=30)  #: epochs batch_size
