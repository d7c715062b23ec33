"""Texts, sparse matrices, and learning in parts."""
# model: joblib
# confusion: bad good
# compare

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

texts = [f"good film {n}" for n in range(60)] + [f"bad film {n}" for n in range(60)]
labels = ["good"] * 60 + ["bad"] * 60
a, b, c, d = train_test_split(texts, labels, random_state=0)
model = make_pipeline(TfidfVectorizer(), LinearSVC()).fit(a, c)
print(model.score(b, d))  #: held-out accuracy
print(model.score(list(a[:30]), c[:30]))  #: training accuracy
words = TfidfVectorizer().fit(a)
svc = LinearSVC().fit(words.transform(a), c)
print(accuracy_score(d, svc.predict(words.transform(b))))  #: held-out accuracy
print(accuracy_score(c, svc.predict(words.transform(a))))  #: training accuracy
parts = SGDClassifier(random_state=0)
for start in (0, 45):
    parts.partial_fit(words.transform(a[start : start + 45]), c[start : start + 45], classes=["bad", "good"])
print(parts.score(words.transform(a[:40]), c[:40]))  #: training accuracy
print(parts.score(words.transform(b), d))  #: held-out accuracy
