"""The canonical names of metrics inside the container.

The host has the whole table (pushtrain/metrics.toml) and reads every name again; here stand the
names that Keras and scikit-learn give their own metrics. A test holds the two against each other.
"""

from __future__ import annotations

import re

_NAMES = {
    "accuracy": (
        "acc accuracy_score binary_accuracy categorical_accuracy sparse_categorical_accuracy"
    ),
    "balanced_accuracy": "balanced_accuracy_score",
    "top_k_accuracy": (
        "top_k_categorical_accuracy sparse_top_k_categorical_accuracy top_k_accuracy_score"
    ),
    "precision": "precision_score",
    "recall": "recall_score",
    "f1": "f1_score",
    "auc": "roc_auc roc_auc_score",
    "average_precision": "average_precision_score",
    "iou": "mean_iou mean_io_u binary_iou one_hot_iou jaccard_score",
    "mcc": "matthews_corrcoef",
    "kappa": "cohen_kappa_score",
    "r2": "r2_score",
    "explained_variance": "explained_variance_score",
    "silhouette": "silhouette_score",
    "adjusted_rand": "adjusted_rand_score",
    "v_measure": "v_measure_score",
    "normalized_mutual_info": "normalized_mutual_info_score",
    "loss": "",
    "log_loss": "binary_crossentropy categorical_crossentropy sparse_categorical_crossentropy",
    "mse": "mean_squared_error",
    "rmse": "root_mean_squared_error",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error mean_squared_log_error",
    "median_absolute_error": "",
    "max_error": "",
    "davies_bouldin": "davies_bouldin_score",
    "brier": "brier_score_loss",
}
_CANONICAL = {name: key for key, names in _NAMES.items() for name in (key, *names.split())}
_COPY = re.compile(r"_\d+$")


def canonical(name: str) -> str:
    """The canonical spelling; an unknown name in lower case with "_" between words."""
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", str(name).strip())
    spelled = re.sub(r"[^\w]+", "_", words.lower()).strip("_")
    return _CANONICAL.get(spelled) or _CANONICAL.get(_COPY.sub("", spelled)) or spelled


def names() -> dict[str, str]:
    """Every name that is known here, with its canonical spelling."""
    return dict(_CANONICAL)
