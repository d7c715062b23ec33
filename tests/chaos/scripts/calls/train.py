"""Nothing of pushtrain's: epochs are calls of an estimator of the script's own."""

import time

import ledger
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split

EPOCHS = 8


class Slow(ClassifierMixin, BaseEstimator):
    """A linear classifier that takes its time, and writes down what it trains."""

    def __init__(self, alpha=0.003):
        self.alpha = alpha

    def partial_fit(self, x, y):
        if not hasattr(self, "inner_"):
            self.inner_, self.epochs_ = SGDClassifier(alpha=self.alpha, random_state=0), 0
            self.classes_ = np.arange(10)
        for part in np.array_split(np.random.permutation(len(x)), 4):
            self.inner_.partial_fit(x[part], y[part], classes=self.classes_)
            time.sleep(0.04)  # stands for more work than a test has time for
        self.epochs_ += 1
        ledger.note("trained", self.epochs_)
        return self

    def predict(self, x):
        return self.inner_.predict(x)


images, digits = load_digits(return_X_y=True)
x, x_test, y, y_test = train_test_split(images / 16, digits, test_size=0.7, random_state=0)
model = Slow(alpha=0.003)
print("begins", flush=True)
for _ in range(EPOCHS):
    model.partial_fit(x, y)
print(f"accuracy {accuracy_score(y_test, model.predict(x_test)):.4f}")
ledger.tell()
