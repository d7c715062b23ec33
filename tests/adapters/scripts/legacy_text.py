'''Keras 1 and 2: recurrent layers, the tokenizer, wrappers for scikit-learn, tf.keras names.'''
# epochs: 5
# model: keras
# confusion: 2
import numpy as np
from keras.layers.embeddings import Embedding
from keras.layers.recurrent import GRU
from keras.layers.wrappers import Bidirectional
from keras.preprocessing import sequence
from keras.preprocessing.text import Tokenizer
from keras.wrappers.scikit_learn import KerasClassifier
from sklearn.model_selection import cross_val_score
from tensorflow.keras.layers import LSTM, CuDNNLSTM, Dense, TimeDistributed
from tensorflow.keras.layers.experimental import preprocessing
from tensorflow.keras.models import Sequential
from tensorflow.keras.optimizers.legacy import SGD

texts = ["good nice film %d" % (i % 7) for i in range(60)]
texts += ["bad awful film %d" % (i % 5) for i in range(60)]
y = np.array([1] * 60 + [0] * 60)
order = np.random.RandomState(0).permutation(120)
texts, y = [texts[i] for i in order], y[order]
tokens = Tokenizer(num_words=50)
tokens.fit_on_texts(texts)
X = sequence.pad_sequences(tokens.texts_to_sequences(texts), maxlen=5)

model = Sequential([
    Embedding(50, 8, input_length=5, dropout=0.2),
    Bidirectional(GRU(output_dim=4, dropout_W=0.1, inner_activation='sigmoid', consume_less='gpu')),
    Dense(1, activation='sigmoid'),
])
model.compile('adam', 'binary_crossentropy', metrics=['acc'])
h = model.fit(X[:90], y[:90], nb_epoch=2, verbose=0)
print(sorted(h.history))
print(model.evaluate(X[90:], y[90:], verbose=0))  #: held-out loss accuracy

rows = Sequential()
rows.add(LSTM(4, input_dim=3, input_length=5, return_sequences=True))
rows.add(TimeDistributed(Dense(2)))
print(rows.output_shape)
fast = Sequential([CuDNNLSTM(4, input_shape=(5, 3))])
fast.compile(SGD(lr=0.5), 'mse')
print(float(fast.optimizer.lr), preprocessing.Rescaling(1 / 255.0).scale)


def build(units=8):
    small = Sequential()
    small.add(Dense(units, input_dim=5, activation='relu'))
    small.add(Dense(1, activation='sigmoid'))
    small.compile(loss='binary_crossentropy', optimizer='adam', metrics=['accuracy'])
    return small


estimator = KerasClassifier(build_fn=build, epochs=1, batch_size=10, verbose=0)
print(cross_val_score(estimator, X, y, cv=3).shape)  #: cross-validation accuracy
