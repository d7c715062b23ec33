import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.ensemble import GradientBoostingRegressor

batch, rounds = 3, 5  #: batch_size epochs
params = dict(n_estimators=60, max_depth=3, learning_rate=0.05, random_state=7)  #: n_estimators max_depth learning_rate
print(params["max_depth"], "levels")
X, y = load_diabetes(return_X_y=True)
model = GradientBoostingRegressor(**params).fit(X[:400], y[:400])
print(model.score(X[400:], y[400:]))

settings = dict(units=14, epochs=rounds, classes=2)  #: units
from tensorflow import keras
net = keras.Sequential([keras.layers.Dense(settings["units"]), keras.layers.Dense(settings["classes"])])  #: dense_block
net.compile("sgd", "mse")  #: optimizer
net.fit(X, np.zeros((442, 2)), epochs=settings["epochs"], batch_size=batch)
