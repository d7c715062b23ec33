from sklearn.cluster import KMeans
from sklearn.datasets import load_iris
from sklearn.metrics import adjusted_rand_score

X, y = load_iris(return_X_y=True)
k = 3
km = KMeans(n_clusters=k, n_init=10, random_state=0).fit(X)
print(adjusted_rand_score(y, km.labels_))
