from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import SGDClassifier
from sklearn.pipeline import Pipeline
from sklearn.datasets import fetch_20newsgroups

train = fetch_20newsgroups(subset="train", categories=["sci.space", "rec.autos"])
steps = [
    ("tfidf", TfidfVectorizer(max_df=0.5, min_df=2, stop_words="english")),  #: max_df
    ("clf", SGDClassifier(loss="log_loss", alpha=0.0001)),  #: alpha
]
pipe = Pipeline(steps)
pipe.fit(train.data, train.target)
print(pipe.score(train.data, train.target))
