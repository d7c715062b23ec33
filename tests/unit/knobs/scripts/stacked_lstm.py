import numpy as np
from tensorflow.keras.models import Sequential
from tensorflow.keras.layers import LSTM, Dense, Dropout

n_steps, n_features = 12, 1
x = np.random.rand(100, n_steps, n_features)
y = np.random.rand(100)
model = Sequential()
model.add(LSTM(units=50, return_sequences=True, input_shape=(n_steps, n_features)))  #: units
model.add(Dropout(0.2))  #: dropout
model.add(LSTM(units=50, return_sequences=True, dropout=0.1))  #: lstm_block units dropout
model.add(Dropout(0.2))  #: dropout
model.add(LSTM(units=25))  #: lstm_block units
model.add(Dense(units=1))
model.compile(optimizer='adam', loss='mean_squared_error')  #: optimizer
model.fit(x, y, epochs=2, batch_size=32)  #: epochs batch_size
