"""Held-out, training, a pipeline and its report."""
# model: joblib
# confusion: malignant benign
# compare
# twice

from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, classification_report
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

data = load_breast_cancer(as_frame=True)
X_train, X_test, y_train, y_test = train_test_split(data.data, data.target, random_state=0)
model = make_pipeline(StandardScaler(), RandomForestClassifier(n_estimators=5, random_state=0))
model.fit(X_train, y_train)
print(model.score(X_test, y_test))  #: held-out accuracy
print(model.score(X_train, y_train))  #: training accuracy
said = model.predict(X_test)
print(classification_report(y_test, said, target_names=data.target_names))  #: held-out accuracy
print(accuracy_score(y_test, said))  #: held-out accuracy
print(accuracy_score(y_train, model.predict(X_train)))  #: training accuracy
print(accuracy_score(data.target, model.predict(data.data)))  #: training accuracy
print(model.named_steps["randomforestclassifier"].n_features_in_)
