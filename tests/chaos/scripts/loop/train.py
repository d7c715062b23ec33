"""A loop of the script's own, which keeps its place with two lines of pushtrain's."""

import time

import ledger
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import train_test_split

import pushtrain

EPOCHS = 8

images, digits = load_digits(return_X_y=True)
x, x_test, y, y_test = train_test_split(images / 16, digits, test_size=0.7, random_state=0)
model = SGDClassifier(alpha=0.003, random_state=0)
print("begins", flush=True)

with pushtrain.checkpoint() as saved:
    model = saved.state.get("model", model)
    for epoch in range(saved.state.get("epoch", 0) + 1, EPOCHS + 1):
        for part in np.array_split(np.random.permutation(len(x)), 4):
            model.partial_fit(x[part], y[part], classes=range(10))
            time.sleep(0.04)  # stands for more work than a test has time for
        ledger.note("trained", epoch)
        if saved.save(epoch=epoch, model=model):
            ledger.note("saved", epoch)

print(f"accuracy {model.score(x_test, y_test):.4f}")
ledger.tell()
