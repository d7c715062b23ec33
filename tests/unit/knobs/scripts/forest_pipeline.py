from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

data = load_breast_cancer()
X_train, X_test, y_train, y_test = train_test_split(data.data, data.target, test_size=0.3, random_state=1)
forest = RandomForestClassifier(n_estimators=5, max_depth=2, criterion='gini', max_features='sqrt', n_jobs=-1, random_state=1)  #: n_estimators max_depth criterion max_features
pca = PCA(n_components=3)  #: n_components
clf = make_pipeline(StandardScaler(), pca, forest)
clf.fit(X_train, y_train)
print(clf.score(X_test, y_test))
