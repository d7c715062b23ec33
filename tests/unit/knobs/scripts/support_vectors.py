from sklearn import svm, datasets, metrics

digits = datasets.load_digits()
n = len(digits.images)
data = digits.images.reshape((n, -1))
classifier = svm.SVC(C=1, kernel='rbf', gamma=0.001)  #: C kernel gamma
classifier.fit(data[:n // 2], digits.target[:n // 2])
print(metrics.accuracy_score(digits.target[n // 2:], classifier.predict(data[n // 2:])))
linear = svm.LinearSVC(C=0.5, max_iter=500)  #: C max_iter
linear.fit(data[:n // 2], digits.target[:n // 2])
auto = svm.SVC(gamma='auto', kernel='precomputed', degree=3)  #: gamma degree
