from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.naive_bayes import MultinomialNB
from sklearn.tree import DecisionTreeClassifier
from sklearn.model_selection import cross_val_score

X, y = load_iris(return_X_y=True)
models = [
    ("logistic", LogisticRegression(C=0.1, max_iter=100, solver="lbfgs")),  #: C max_iter
    ("ridge", Ridge(alpha=1.0)),  #: alpha
    ("sgd", SGDClassifier(alpha=1e-3, penalty="l2", loss="hinge", max_iter=50)),  #: alpha penalty max_iter
    ("bayes", MultinomialNB(alpha=1.0)),  #: alpha
    ("tree", DecisionTreeClassifier(criterion="entropy", max_depth=3, min_samples_split=4)),  #: criterion max_depth min_samples_split
]
for name, model in models:
    print(name, cross_val_score(model, X, y, cv=5).mean())
