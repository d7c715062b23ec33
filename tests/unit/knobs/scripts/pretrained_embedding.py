import numpy as np
import keras
from keras import layers

VOCAB = 100
EMBEDDING_DIM = 50
matrix = np.zeros((VOCAB, EMBEDDING_DIM))
model = keras.Sequential([
    layers.Embedding(VOCAB, EMBEDDING_DIM, embeddings_initializer=keras.initializers.Constant(matrix), trainable=False),
    layers.Conv1D(32, 5, activation="relu"),  #: filters activation
    layers.GlobalMaxPooling1D(),
    layers.Dense(10, activation="relu"),  #: dense_block units activation
    layers.Dense(1, activation="sigmoid"),
])
model.compile(loss="binary_crossentropy", optimizer="adam")  #: optimizer
model.fit(np.random.randint(0, VOCAB, (40, 12)), np.random.randint(0, 2, 40), epochs=1, batch_size=8)  #: epochs batch_size
