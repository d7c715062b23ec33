import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier

X, y = load_digits(return_X_y=True)
pca = PCA(n_components=2)
points = pca.fit_transform(X)
assert points.shape[1] == 2
knn = KNeighborsClassifier(n_neighbors=15, weights='uniform', p=2)  #: n_neighbors weights minkowski_p
knn.fit(points[:1000], y[:1000])
print((knn.predict(points[1000:]) == y[1000:]).mean())
