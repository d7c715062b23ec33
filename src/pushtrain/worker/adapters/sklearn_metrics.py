"""The metrics functions of scikit-learn: what they say, and what that proves."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from pushtrain.worker.adapters.conclusion import conclusion, counted
from pushtrain.worker.adapters.names import canonical
from pushtrain.worker.adapters.predictions import predictions
from pushtrain.worker.adapters.seen import HELD_OUT, TRAINING, VALIDATION, History
from pushtrain.worker.adapters.wrapping import Guard, argument, wrap
from pushtrain.worker.session import Session
from pushtrain.worker.values import number

OF_LABELS = frozenset(
    {
        "accuracy_score",
        "balanced_accuracy_score",
        "f1_score",
        "fbeta_score",
        "precision_score",
        "recall_score",
        "jaccard_score",
        "matthews_corrcoef",
        "cohen_kappa_score",
        "zero_one_loss",
        "hamming_loss",
    }
)
"""Functions of true and predicted classes."""

OF_VALUES = frozenset(
    {
        "roc_auc_score",
        "average_precision_score",
        "log_loss",
        "brier_score_loss",
        "top_k_accuracy_score",
        "hinge_loss",
        "mean_squared_error",
        "root_mean_squared_error",
        "mean_absolute_error",
        "r2_score",
        "mean_absolute_percentage_error",
        "mean_squared_log_error",
        "median_absolute_error",
        "max_error",
        "explained_variance_score",
        "mean_poisson_deviance",
        "mean_gamma_deviance",
        "mean_pinball_loss",
        "ndcg_score",
    }
)
"""Functions of true values and of predicted ones, or of scores."""

OF_CLUSTERS = frozenset(
    {
        "adjusted_rand_score",
        "adjusted_mutual_info_score",
        "normalized_mutual_info_score",
        "v_measure_score",
        "homogeneity_score",
        "completeness_score",
        "fowlkes_mallows_score",
        "rand_score",
    }
)
"""Functions of true classes and of clusters that were found without them."""

OF_SHAPES = ("silhouette_score", "davies_bouldin_score", "calinski_harabasz_score")
"""Functions of data and its clusters alone."""

_RANK = {TRAINING: 0, VALIDATION: 1, "cross-validation": 2, HELD_OUT: 3}
_FIRST = ("y_true", "labels_true", "X")
_SECOND = ("y_pred", "y_score", "y_proba", "y_prob", "pred_decision", "labels_pred", "labels")


class Metrics:
    """Follows the metrics that a script computes itself."""

    def __init__(self, session: Session, guard: Guard, history: History) -> None:
        self._session = session
        self._guard = guard
        self._history = history
        self._names: Any = None  # what the script called the classes last

    def follow(self, module: ModuleType) -> None:
        """Wraps the functions, also where the script has imported them already."""
        names = [*OF_LABELS, *OF_VALUES, *OF_CLUSTERS, *OF_SHAPES]
        scripts = [each for each in list(sys.modules.values()) if self._is_own(each)]
        for name in [*names, "classification_report", "confusion_matrix"]:
            original = wrap(module, name, self._around)
            for script in scripts:
                if original is not None and vars(script).get(name) is original:
                    setattr(script, name, getattr(module, name))

    def _is_own(self, module: ModuleType) -> bool:
        file = getattr(module, "__file__", None)
        return isinstance(file, str) and bool(self._session.frames.relative(file))

    def _around(self, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        if not self._guard.counts or not self._is_called_by_script():
            return function(*args, **kwargs)
        result, _ = self._guard.run(function, *args, **kwargs)
        self._guard.quietly("a metric", self._take, function, args, kwargs, result)
        return result

    def _is_called_by_script(self) -> bool:
        """Whether the call stands in the script's own code; libraries measure for other ends."""
        frame = sys._getframe(4)  # this function, `_around`, and the wrapper's two
        return bool(self._session.frames.relative(frame.f_code.co_filename))

    def _take(self, function: Any, args: Any, kwargs: Any, result: Any) -> None:
        name = function.__name__
        first = _named(args, kwargs, 0, _FIRST)
        second = _named(args, kwargs, 1, _SECOND)
        role, model = self._role(name, first, second)
        if model is not None:
            conclusion(self._session).model(*model)
        if name in (*OF_LABELS, "classification_report", "confusion_matrix"):
            if kwargs.get("target_names") is not None:
                self._names = list(kwargs["target_names"])
            names = self._names
            conclusion(self._session).confusion(role, lambda: counted(first, second, names))
        if name == "classification_report":
            name, result = "accuracy_score", _agreement(first, second)
        value = number(result)
        if value is None or kwargs.get("normalize") is False or name == "confusion_matrix":
            return
        if name == "mean_squared_error" and kwargs.get("squared") is False:
            name = "root_mean_squared_error"
        caller = self._session.caller()
        source = function.__name__ + (f" at {caller}" if caller else "")
        self._session.measure(canonical(name), value, role, source)

    def _role(self, name: str, true: Any, predicted: Any) -> tuple[str, Any]:
        """What the value proves, and the model that it is about, where that can be told."""
        if name in OF_SHAPES:
            # There is no truth that a clustering could have learnt by heart.
            return VALIDATION, None
        behind = predictions(self._session.shared).behind(predicted)
        if behind is None:
            last = {len(self._history.fits) - 1} if self._history.fits else set()
            found = self._history.role_of_targets(true, last)
            return found or HELD_OUT, None
        if not behind.role:
            return HELD_OUT, None
        by_targets = self._history.role_of_targets(true, behind.fits, with_labels=False)
        roles = [behind.role, by_targets or behind.role]
        role = min(roles, key=_RANK.__getitem__)
        return role, (behind.model, role, behind.save) if behind.save else None


def scored(value: Any, scoring: Any, estimator: Any, refit: Any = True) -> tuple[str, float]:
    """The metric behind a score, and its value as people state it.

    Args:
        value: what the scorer gave; greater is always better there.
        scoring: a scorer's name, a scorer, several of them, or None for the estimator's own.
        estimator: whose score it is.
        refit: which of several scorers a search goes by.
    """
    value = float(value)
    if isinstance(scoring, dict):
        scoring = scoring.get(refit, refit)
    if isinstance(scoring, (list, tuple, set)):
        scoring = refit
    if isinstance(scoring, str):
        is_negative = scoring.startswith("neg_")
        return (scoring[len("neg_") :], -value) if is_negative else (scoring, value)
    function = getattr(scoring, "_score_func", None)
    if function is not None:
        sign = getattr(scoring, "_sign", 1)
        return getattr(function, "__name__", "score"), value * sign
    if scoring is not None and not isinstance(scoring, bool):
        return getattr(scoring, "__name__", "score"), value
    return _own_score(estimator), value


def _own_score(estimator: Any) -> str:
    """What an estimator's own `score` is."""
    base = sys.modules["sklearn.base"]
    if base.is_classifier(estimator) or isinstance(estimator, base.ClassifierMixin):
        return "accuracy"
    if base.is_regressor(estimator) or isinstance(estimator, base.RegressorMixin):
        return "r2"
    return "score"


def _named(args: Any, kwargs: Any, index: int, names: tuple[str, ...]) -> Any:
    for name in names:
        found = argument(args, kwargs, index, name)
        if found is not None:
            return found
    return None


def _agreement(true: Any, predicted: Any) -> float | None:
    import numpy

    true, predicted = numpy.asarray(true), numpy.asarray(predicted)
    if true.shape != predicted.shape or not len(true):
        return None
    same = true == predicted
    return float((same.all(axis=1) if same.ndim > 1 else same).mean())
