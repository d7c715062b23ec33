"""Boosting, with probabilities."""
# model: joblib
# confusion: 2

from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import train_test_split

X, y = load_breast_cancer(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
model = GradientBoostingClassifier(n_estimators=5, random_state=0).fit(X_train, y_train)
print(roc_auc_score(y_test, model.predict_proba(X_test)[:, 1]))  #: held-out auc
print(log_loss(y_train, model.predict_proba(X_train)))  #: training log_loss
both = VotingClassifier([("a", LogisticRegression(max_iter=50)), ("b", HistGradientBoostingClassifier(max_iter=5))])
import warnings; warnings.simplefilter("ignore")
both.fit(X_train, y_train)
print(both.score(X_test, y_test))  #: held-out accuracy
