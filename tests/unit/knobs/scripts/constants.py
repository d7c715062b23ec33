import numpy as np
import tensorflow as tf
from tensorflow.keras import layers

EPOCHS = 4  #: epochs
BATCH_SIZE = 16  #: batch_size
LR = 0.01  #: learning_rate
HIDDEN = 64  #: units
DROP = 0.25  #: dropout
CLASSES = 5
FEATURES = 7

print(f"training for {EPOCHS} epochs, lr {LR:.4f}")
print("hidden: %d" % HIDDEN)
X = np.random.rand(100, FEATURES)
Y = np.random.randint(0, CLASSES, 100)
net = tf.keras.Sequential([
    layers.Input((FEATURES,)),
    layers.Dense(HIDDEN, activation="relu"), layers.Dropout(DROP), layers.Dense(HIDDEN, activation="relu"),  #: dense_block activation dense_block activation
    layers.Dense(CLASSES, activation="softmax"),
])
net.compile(optimizer=tf.keras.optimizers.Adam(learning_rate=LR), loss="sparse_categorical_crossentropy")  #: optimizer
net.fit(X, Y, epochs=EPOCHS, batch_size=BATCH_SIZE, steps_per_epoch=len(X) // BATCH_SIZE)
net.predict(X, batch_size=BATCH_SIZE)
for epoch in range(1, EPOCHS + 1):
    print("epoch", epoch, "of", EPOCHS)
