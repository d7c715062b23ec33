"""scikit-learn, and every library whose estimators are built like its own.

Estimators are followed wherever their classes are made; only calls of the script itself count:
what pipelines, searches and ensembles do inside is theirs.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Mapping
from typing import Any

from pushtrain.worker.adapters.conclusion import conclusion, counted
from pushtrain.worker.adapters.names import canonical
from pushtrain.worker.adapters.predictions import predictions
from pushtrain.worker.adapters.seen import Data, Labels, Seen, history, targets_of
from pushtrain.worker.adapters.sklearn_classes import follow_classes
from pushtrain.worker.adapters.sklearn_memo import Memo
from pushtrain.worker.adapters.sklearn_metrics import Metrics, scored
from pushtrain.worker.adapters.wrapping import argument, guard, wrap
from pushtrain.worker.session import Session

MODULES = ("sklearn",)

_PARTS = ("base", "metrics", "model_selection", "pipeline")
_MOST_ROWS = 50_000


def prepare() -> None:
    """Imports what nearly every script needs, before any trial."""
    for part in _PARTS:
        importlib.import_module(f"sklearn.{part}")


def install(session: Session) -> None:
    """Follows every estimator and metric of the script; scikit-learn has been imported."""
    prepare()
    adapter = Adapter(session)
    session.shared["sklearn"] = adapter
    session.versions({"scikit-learn": str(getattr(sys.modules["sklearn"], "__version__", ""))})


def finish(session: Session) -> None:
    """Saves the model and counts its confusion."""
    if isinstance(session.shared.get("sklearn"), Adapter):
        conclusion(session).finish()


class Adapter:
    """What is followed of one script."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.guard = guard(session)
        self.history = history(session.shared)
        self.memo = Memo(session)
        self.seconds = 0.0
        follow_classes(
            {
                "fit": self._around_fit,
                "partial_fit": self._around_fit,
                "fit_predict": self._around_fit,
                "score": self._around_score,
                "predict": self._around_predict,
                "predict_proba": self._around_predict,
                "decision_function": self._around_predict,
            }
        )
        self.metrics = Metrics(session, self.guard, self.history)
        self.metrics.follow(sys.modules["sklearn.metrics"])
        selection = sys.modules["sklearn.model_selection"]
        wrap(selection, "cross_val_score", self._around_cross_validation)
        wrap(selection, "cross_validate", self._around_cross_validation)
        wrap(selection, "cross_val_predict", self._around_cross_predictions)
        for name in ("learning_curve", "validation_curve", "permutation_test_score"):
            wrap(selection, name, self._around_other)

    # --- training ------------------------------------------------------------------------------

    def _around_fit(self, fit: Any, estimator: Any, /, *args: Any, **kwargs: Any) -> Any:
        if not self.guard.is_here:
            return fit(estimator, *args, **kwargs)
        if not self.guard.counts or not _predicts(estimator):
            return fit(estimator, *args, **kwargs)
        x, y = _inputs(args, kwargs), argument(args, kwargs, 1, "y")
        self.guard.quietly("the training data", self._begin, fit.__name__, estimator, x, y)
        result, seconds = self.memo.run(fit, estimator, args, kwargs)
        self.seconds += seconds
        self.session.seconds("fit", self.seconds)
        self.guard.quietly("the training", self._end, estimator)
        if fit.__name__ == "fit_predict":
            self.guard.quietly("a prediction", self._predicted, estimator, x, result)
        return result

    def _begin(self, method: str, estimator: Any, x: Any, y: Any) -> None:
        goes_on = method == "partial_fit" or getattr(estimator, "warm_start", False)
        fit = self.history.begin(estimator, anew=not goes_on)
        fit.inputs.append(Seen(Data.of(x)))
        if y is not None:
            fit.targets.append(targets_of(y))
            fit.labels.append(Labels(y))

    def _end(self, estimator: Any) -> None:
        fits = self.history.of(estimator) or set()
        model = estimator
        if hasattr(estimator, "best_score_"):
            self._tell_search(estimator)
        if getattr(estimator, "best_estimator_", None) is not None:
            model = estimator.best_estimator_
        for part in _parts(estimator):
            self.history.took(part, fits, anew=True)
        conclusion(self.session).model(estimator, "", lambda: save(model, self.session))
        self.session.parameters({"sklearn": described(estimator)})

    def _tell_search(self, search: Any) -> None:
        name, value = scored(
            search.best_score_, search.scoring, search, getattr(search, "refit", True)
        )
        kind = type(search).__name__
        self._measure(name, value, "cross-validation", f"{kind}.best_score_")

    # --- measuring -------------------------------------------------------------------------------

    def _around_score(self, score: Any, estimator: Any, /, *args: Any, **kwargs: Any) -> Any:
        if not self.guard.counts or not _predicts(estimator):
            return score(estimator, *args, **kwargs)
        value, _ = self.guard.run(score, estimator, *args, **kwargs)
        x, y = _inputs(args, kwargs), argument(args, kwargs, 1, "y")
        self.guard.quietly("a score", self._scored, estimator, x, y, value)
        return value

    def _scored(self, estimator: Any, x: Any, y: Any, value: Any) -> None:
        name, value = scored(value, getattr(estimator, "scoring", None), estimator)
        role = self.history.role(Data.of(x), self._fits(estimator))
        self._measure(name, value, role, "model.score")
        ending = conclusion(self.session)
        ending.model(estimator, role, lambda: save(_best(estimator), self.session))
        if name == "accuracy" and y is not None and len(y) <= _MOST_ROWS:
            ending.confusion(role, lambda: counted(y, estimator.predict(x)))

    def _fits(self, estimator: Any) -> set[int]:
        known = self.history.of(estimator)
        return self.history.all if known is None else known

    def _around_predict(self, predict: Any, estimator: Any, /, *args: Any, **kwargs: Any) -> Any:
        if not self.guard.counts:
            return predict(estimator, *args, **kwargs)
        result, _ = self.guard.run(predict, estimator, *args, **kwargs)
        x = _inputs(args, kwargs)
        self.guard.quietly("a prediction", self._predicted, estimator, x, result)
        return result

    def _predicted(self, estimator: Any, x: Any, output: Any) -> None:
        if not hasattr(output, "shape") or len(output) < 2:
            return
        fits = self._fits(estimator)
        # What a clustering was never told are the true labels, whatever rows it saw.
        role = "" if _clusters(estimator) else self.history.role(Data.of(x), fits)
        known = predictions(self.session.shared)
        known.add(estimator, fits, role, output, lambda: save(_best(estimator), self.session))

    def _around_cross_validation(self, validate: Any, /, *args: Any, **kwargs: Any) -> Any:
        if not self.guard.counts:
            return validate(*args, **kwargs)
        result, _ = self.memo.run(validate, None, args, kwargs)
        self.guard.quietly(
            "a cross-validation", self._validated, validate.__name__, args, kwargs, result
        )
        return result

    def _validated(self, function: str, args: Any, kwargs: Any, result: Any) -> None:
        estimator, scoring = argument(args, kwargs, 0, "estimator"), kwargs.get("scoring")
        results = {"test_score": result} if not isinstance(result, Mapping) else result
        for key, values in results.items():
            if key.startswith("test_") and len(values):
                by = scoring if key == "test_score" else key[len("test_") :]
                name, value = scored(float(sum(values)) / len(values), by, estimator)
                self._measure(name, value, "cross-validation", f"{function}, mean of {len(values)}")
        self.session.parameters({"sklearn": described(estimator)})

    def _around_cross_predictions(self, predict: Any, /, *args: Any, **kwargs: Any) -> Any:
        if not self.guard.counts:
            return predict(*args, **kwargs)
        result, _ = self.memo.run(predict, None, args, kwargs)
        estimator = argument(args, kwargs, 0, "estimator")
        known = predictions(self.session.shared)
        self.guard.quietly("a prediction", known.add, estimator, set(), "cross-validation", result)
        return result

    def _around_other(self, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        if not self.guard.counts:
            return function(*args, **kwargs)
        return self.memo.run(function, None, args, kwargs)[0]

    def _measure(self, name: str, value: float, role: str, what: str) -> None:
        caller = self.session.caller()
        source = what + (f" at {caller}" if caller else "")
        self.session.measure(canonical(name), value, role, source)


def described(estimator: Any) -> dict[str, Any]:
    """An estimator's class and parameters."""
    record: dict[str, Any] = {"estimator": type(estimator).__name__}
    with contextlib.suppress(Exception):
        parameters = estimator.get_params(deep=True)
        # What is an estimator itself is told by its own parameters.
        record["parameters"] = {
            name: value if not hasattr(value, "get_params") else type(value).__name__
            for name, value in sorted(parameters.items())
            if name not in ("steps", "transformers", "estimators")
        }
    for name in ("best_params_", "best_score_", "n_features_in_"):
        with contextlib.suppress(Exception):
            record[name.strip("_")] = getattr(estimator, name)
    return record


def save(estimator: Any, session: Session) -> bool:
    """Saves a fitted estimator; whether it could be."""
    joblib = importlib.import_module("joblib")

    path = session.out / "model" / "model.joblib"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        joblib.dump(estimator, path)
    except Exception:
        path.unlink(missing_ok=True)
        raise
    session.model("model/model.joblib", "joblib")
    return True


def _best(estimator: Any) -> Any:
    best = getattr(estimator, "best_estimator_", None)
    return estimator if best is None else best


def _parts(estimator: Any) -> list[Any]:
    """The fitted estimators inside, which a script may take out and use."""
    parts = [getattr(estimator, "best_estimator_", None)]
    parts += [step[1] for step in getattr(estimator, "steps", ()) or ()]
    inner = getattr(estimator, "estimators_", ())
    parts += list(inner)[:100] if isinstance(inner, (list, tuple)) else []
    best = parts[0]
    parts += [step[1] for step in getattr(best, "steps", ()) or ()]
    return [part for part in parts if hasattr(part, "get_params")]


def _predicts(estimator: Any) -> bool:
    """Whether it is a model and no mere transformation of data."""
    names = ("predict", "fit_predict", "score_samples")
    try:
        return any(hasattr(estimator, name) for name in names) or hasattr(estimator, "best_score_")
    except Exception:
        return False


def _clusters(estimator: Any) -> bool:
    mixin = sys.modules["sklearn.base"].ClusterMixin
    final = estimator.steps[-1][1] if getattr(estimator, "steps", None) else estimator
    return isinstance(final, mixin)


def _inputs(args: Any, kwargs: Any) -> Any:
    return argument(args, kwargs, 0, "X")
