"""An encoder whose states start the decoder."""
import numpy as np
from tensorflow.keras import Input, Model
from tensorflow.keras.layers import LSTM, Dense

encoder_in = Input((6, 3))
out, h, c = LSTM(16, return_state=True)(encoder_in)
decoder_in = Input((4, 2))
seq = LSTM(16, return_sequences=True)(decoder_in, initial_state=[h, c])
dense = Dense(10, activation="relu")(seq)  #: units activation
result = Dense(2)(dense)
model = Model([encoder_in, decoder_in], result)
model.compile(optimizer="rmsprop", loss="mse")  #: optimizer
model.fit([np.random.rand(12, 6, 3), np.random.rand(12, 4, 2)], np.random.rand(12, 4, 2), epochs=1, batch_size=4)  #: epochs batch_size
