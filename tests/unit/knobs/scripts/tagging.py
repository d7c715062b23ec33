import numpy as np
from tensorflow.keras import Model, Input
from tensorflow.keras.layers import LSTM, Embedding, Dense, TimeDistributed, Bidirectional

num_words, num_tags, max_len = 500, 7, 10
word_in = Input(shape=(max_len,))
m = Embedding(input_dim=num_words, output_dim=40)(word_in)  #: embedding_dim
m = Bidirectional(LSTM(units=24, return_sequences=True, recurrent_dropout=0.1))(m)  #: units recurrent_dropout
m = TimeDistributed(Dense(12, activation="relu"))(m)  #: units activation
out = TimeDistributed(Dense(num_tags, activation="softmax"))(m)
model = Model(word_in, out)
model.compile(optimizer="rmsprop", loss="sparse_categorical_crossentropy", metrics=["accuracy"])  #: optimizer
model.fit(np.random.randint(0, num_words, (40, max_len)), np.random.randint(0, num_tags, (40, max_len, 1)), batch_size=8, epochs=1)  #: batch_size epochs
