"""Benign or malignant: a random forest on the Wisconsin breast cancer data."""

from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, classification_report
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

SEED = 0
N_TREES = 3
MAX_DEPTH = 2


def make_pipeline():
    return Pipeline(
        [
            ("scale", StandardScaler()),
            ("pca", PCA(n_components=2, random_state=SEED)),
            (
                "forest",
                RandomForestClassifier(
                    n_estimators=N_TREES,
                    max_depth=MAX_DEPTH,
                    min_samples_leaf=20,
                    random_state=SEED,
                ),
            ),
        ]
    )


def main():
    cancer = load_breast_cancer()
    X_train, X_test, y_train, y_test = train_test_split(
        cancer.data, cancer.target, test_size=0.3, stratify=cancer.target, random_state=SEED
    )

    pipeline = make_pipeline()
    pipeline.fit(X_train, y_train)

    predicted = pipeline.predict(X_test)
    print(classification_report(y_test, predicted, target_names=cancer.target_names))
    print(f"accuracy: {accuracy_score(y_test, predicted):.4f}")


if __name__ == "__main__":
    main()
