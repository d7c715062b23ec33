"""Nothing of pushtrain's: each epoch is a call of scikit-learn's."""

import time

import ledger
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import train_test_split

EPOCHS = 8
epoch = 0


def noting(fit):
    """What a call does when it is really made, but slower, and written down."""

    def noted(*args, **kwargs):
        ledger.note_saved()
        time.sleep(0.16)  # stands for more work than a test has time for
        result = fit(*args, **kwargs)
        ledger.note("trained", epoch)
        return result

    return noted


SGDClassifier._partial_fit = noting(SGDClassifier._partial_fit)

images, digits = load_digits(return_X_y=True)
x, x_test, y, y_test = train_test_split(images / 16, digits, test_size=0.7, random_state=0)
model = SGDClassifier(alpha=0.003, random_state=0)
print("begins", flush=True)
for epoch in range(1, EPOCHS + 1):
    order = np.random.permutation(len(x))
    model.partial_fit(x[order], y[order], classes=np.arange(10))
print(f"accuracy {model.score(x_test, y_test):.4f}")
ledger.tell()
