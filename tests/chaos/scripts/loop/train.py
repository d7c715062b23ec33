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
    if saved.state:
        model = saved.state["model"]
        np.random.set_state(saved.state["random"])
    for epoch in range(saved.state.get("epoch", 0) + 1, EPOCHS + 1):
        order = np.random.permutation(len(x))
        for part in np.array_split(order, 4):
            model.partial_fit(x[part], y[part], classes=range(10))
            time.sleep(0.04)  # stands for more work than a test has time for
        ledger.note("trained", epoch)
        saved.save(epoch=epoch, model=model, random=np.random.get_state())
        ledger.note("saved", epoch)

print(f"accuracy {model.score(x_test, y_test):.4f}")
ledger.tell()
