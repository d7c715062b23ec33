import numpy as np
import tensorflow as tf

BATCH_SIZE = 32  #: batch_size
BUFFER = 1000
x, y = np.random.rand(200, 8).astype("float32"), np.random.randint(0, 2, 200)
train = (tf.data.Dataset.from_tensor_slices((x, y))
         .shuffle(BUFFER)
         .batch(BATCH_SIZE)
         .prefetch(tf.data.AUTOTUNE))
test = tf.data.Dataset.from_tensor_slices((x, y)).batch(BATCH_SIZE * 2)
model = tf.keras.Sequential([
    tf.keras.layers.Dense(10, activation="relu"),  #: dense_block units activation
    tf.keras.layers.Dense(1),
])
model.compile(optimizer=tf.keras.optimizers.Adam(), loss=tf.keras.losses.BinaryCrossentropy(from_logits=True))  #: optimizer
model.fit(train, epochs=3, validation_data=test)  #: epochs
