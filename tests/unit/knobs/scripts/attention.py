import numpy as np
import keras
from keras import layers

embed_dim = 32
num_heads = 2  #: num_heads
ff_dim = 64  #: units
vocab, maxlen = 300, 16

class Block(layers.Layer):
    def __init__(self, embed_dim, num_heads, ff_dim, rate=0.1):  #: dropout
        super().__init__()
        self.att = layers.MultiHeadAttention(num_heads=num_heads, key_dim=embed_dim)
        self.ffn = keras.Sequential([layers.Dense(ff_dim, activation="relu"), layers.Dense(embed_dim)])  #: dense_block activation
        self.norm1 = layers.LayerNormalization(epsilon=1e-6)
        self.norm2 = layers.LayerNormalization(epsilon=1e-6)
        self.drop = layers.Dropout(rate)

    def call(self, inputs, training=False):
        attended = self.drop(self.att(inputs, inputs), training=training)
        out = self.norm1(inputs + attended)
        return self.norm2(out + self.ffn(out))

inputs = layers.Input(shape=(maxlen,))
x = layers.Embedding(vocab, embed_dim)(inputs)
x = Block(embed_dim, num_heads, ff_dim)(x)
x = layers.GlobalAveragePooling1D()(x)
x = layers.Dropout(0.1)(x)  #: dropout
x = layers.Dense(20, activation="relu")(x)  #: units activation
outputs = layers.Dense(2, activation="softmax")(x)
model = keras.Model(inputs, outputs)
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")  #: optimizer
model.fit(np.random.randint(0, vocab, (32, maxlen)), np.random.randint(0, 2, 32), batch_size=8, epochs=1)  #: batch_size epochs
