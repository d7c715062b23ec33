"""Searches, folds by hand and by function, and a final fit with what was found."""
# kill: call 3, call 4, call 6, call 8
# again: 7
# resumed: 0

import numpy as np
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier, StackingClassifier, VotingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import (
    GridSearchCV,
    RandomizedSearchCV,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
    train_test_split,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

x, y = make_classification(300, 12, random_state=3)
names = np.where(y, "yes", "no").astype(object)
x, x_test, names, names_test = train_test_split(x, names)
folds = StratifiedKFold(2, shuffle=True, random_state=np.random.RandomState(3))
for train, test in folds.split(x, names):
    print(RandomForestClassifier(5).fit(x[train], names[train]).score(x[test], names[test]))

scaler = StandardScaler()
grid = GridSearchCV(make_pipeline(scaler, SVC()), {"svc__C": [0.1, 1, 10]}, cv=3)
print(grid.fit(x, names).best_params_, grid.score(x_test, names_test))
print(cross_val_score(LogisticRegression(), x, names), cross_val_predict(SVC(), x, names)[:5])
search = RandomizedSearchCV(
    RandomForestClassifier(random_state=7),
    {"n_estimators": [3, 5, 8], "max_depth": [2, 3, 4]},
    n_iter=4,
    n_jobs=2,
    verbose=1,
    random_state=np.random.RandomState(2),
)
print(search.fit(x, names).best_params_, search.score(x_test, names_test), np.random.rand())

changed = x.copy()
line = LinearRegression(copy_X=False).fit(changed, names == "yes")
print(changed.sum(), line.score(x_test, names_test == "yes"))

final = make_pipeline(scaler, SVC(C=grid.best_params_["svc__C"]))
final.fit(x, names)
print(scaler.transform(x_test).sum(), accuracy_score(names_test, final.predict(x_test)))
voting = VotingClassifier([("forest", search.best_estimator_), ("line", LogisticRegression())])
stacking = StackingClassifier([("voting", voting)], LogisticRegression()).fit(x, names)
print(stacking.score(x_test, names_test), np.random.rand())
