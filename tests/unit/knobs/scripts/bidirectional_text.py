import numpy as np
from tensorflow.keras import layers, Sequential
from tensorflow.keras.preprocessing.sequence import pad_sequences

max_features = 2000
maxlen = 20
embed_dim = 32  #: embedding_dim
x = pad_sequences([list(np.random.randint(1, max_features, 15)) for _ in range(64)], maxlen=maxlen)
y = np.random.randint(0, 2, 64)

model = Sequential()
model.add(layers.Embedding(max_features, embed_dim, input_length=maxlen))
model.add(layers.SpatialDropout1D(0.3))  #: dropout
model.add(layers.Bidirectional(layers.LSTM(16, return_sequences=True)))  #: units
model.add(layers.Bidirectional(layers.GRU(8)))  #: units
model.add(layers.Dense(1, activation="sigmoid"))
model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])  #: optimizer
model.fit(x, y, batch_size=16, epochs=2)  #: batch_size epochs
