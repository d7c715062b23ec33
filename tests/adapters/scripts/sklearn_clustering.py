"""There is no truth that a clustering could have learnt by heart."""
# model: joblib
# confusion: none
# compare

from sklearn.cluster import KMeans
from sklearn.datasets import load_iris
from sklearn.metrics import adjusted_rand_score, silhouette_score

X, y = load_iris(return_X_y=True)
labels = KMeans(3, n_init=2, random_state=0).fit_predict(X)
print(silhouette_score(X, labels))  #: validation silhouette
print(adjusted_rand_score(y, labels))  #: held-out adjusted_rand
