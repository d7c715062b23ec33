"""Texts, sparse matrices, and learning in parts."""
# model: joblib
# confusion: bad good
# compare

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

words = ["plot", "cast", "score", "light", "sound", "pace", "end", "start", "city", "night"]
pick = np.random.RandomState(0).randint(0, 10, (120, 4))
texts = [
    ("good " if n < 60 else "bad ") + " ".join(words[i] for i in row) for n, row in enumerate(pick)
]
labels = ["good"] * 60 + ["bad"] * 60
a, b, c, d = train_test_split(texts, labels, random_state=0)
model = make_pipeline(TfidfVectorizer(), LinearSVC()).fit(a, c)
print(model.score(b, d))  #: held-out accuracy
print(model.score(list(a[:30]), c[:30]))  #: training accuracy
vectors = TfidfVectorizer().fit(a)
svc = LinearSVC().fit(vectors.transform(a), c)
print(accuracy_score(d, svc.predict(vectors.transform(b))))  #: held-out accuracy
print(accuracy_score(c, svc.predict(vectors.transform(a))))  #: training accuracy
parts = SGDClassifier(random_state=0)
for start in (0, 45):
    parts.partial_fit(vectors.transform(a[start : start + 45]), c[start : start + 45], classes=["bad", "good"])
print(parts.score(vectors.transform(a[:40]), c[:40]))  #: training accuracy
print(parts.score(vectors.transform(b), d))  #: held-out accuracy
