from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

HIDDEN = (64, 32)  #: units units
X, y = load_digits(return_X_y=True)
mlp = MLPClassifier(hidden_layer_sizes=HIDDEN, activation='logistic', solver='sgd', alpha=1e-4, learning_rate_init=.1, max_iter=10, random_state=1)  #: activation solver alpha learning_rate_init max_iter
mlp.fit(X[:1200] / 16, y[:1200])
print(mlp.score(X[1200:] / 16, y[1200:]))
other = MLPClassifier((30,), max_iter=20).fit(X, y)  #: units max_iter
plain = MLPClassifier(hidden_layer_sizes=25).fit(X, y)  #: units
