import numpy as np
from tensorflow.keras.layers import Input, Dense
from tensorflow.keras.models import Model

encoding_dim = 8
input_img = Input(shape=(64,))
encoded = Dense(32, activation='relu')(input_img)  #: units activation
encoded = Dense(encoding_dim, activation='relu')(encoded)
decoded = Dense(32, activation='relu')(encoded)  #: units activation
decoded = Dense(64, activation='sigmoid')(decoded)

autoencoder = Model(input_img, decoded)
encoder = Model(input_img, encoded)
autoencoder.compile(optimizer='adam', loss='binary_crossentropy')  #: optimizer
x = np.random.rand(50, 64)
autoencoder.fit(x, x, epochs=2, batch_size=25, shuffle=True)  #: epochs batch_size
print(encoder.predict(x).mean())
