import numpy as np
from tensorflow.keras.layers import LSTM, Dense
from tensorflow.keras.models import Sequential

x, y = np.random.rand(60, 5, 1), np.random.rand(60, 1)
model = Sequential()
model.add(LSTM(10, batch_input_shape=(6, 5, 1), stateful=True))
model.add(Dense(8))  #: dense_block units
model.add(Dense(1))
model.compile(loss='mean_squared_error', optimizer='adam')  #: optimizer
for i in range(4):
    model.fit(x, y, epochs=1, batch_size=6, verbose=0, shuffle=False)  #: epochs
    model.reset_states()
