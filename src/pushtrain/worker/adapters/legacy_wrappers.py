"""`keras.wrappers.scikit_learn` of Keras 1 and 2: what builds a model, as an estimator."""

from __future__ import annotations

import inspect
from typing import Any

import numpy
from sklearn.base import (  # type: ignore[import-not-found]
    BaseEstimator,
    ClassifierMixin,
    RegressorMixin,
)

_CALLS = ("batch_size", "epochs", "nb_epoch", "verbose", "callbacks", "validation_split", "shuffle")


class BaseWrapper(BaseEstimator):  # type: ignore[misc]
    """Builds a model anew for each `fit`."""

    def __init__(self, build_fn: Any = None, **sk_params: Any) -> None:
        self.build_fn = build_fn
        self.sk_params = sk_params

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """All parameters, those of the building function among them."""
        return {**self.sk_params, "build_fn": self.build_fn}

    def set_params(self, **params: Any) -> BaseWrapper:
        """Sets parameters by name."""
        if "build_fn" in params:
            self.build_fn = params.pop("build_fn")
        self.sk_params.update(params)
        return self

    def fit(self, x: Any, y: Any, **kwargs: Any) -> Any:
        """Builds the model and trains it; gives its history."""
        build = self.build_fn or self.__call__
        names = inspect.signature(build).parameters
        model = build(**{name: v for name, v in self.sk_params.items() if name in names})
        given = {name: v for name, v in self.sk_params.items() if name in _CALLS}
        given.update(kwargs)
        if "nb_epoch" in given:
            given["epochs"] = given.pop("nb_epoch")
        self.model = model
        self.history = model.fit(x, self._targets(numpy.asarray(y)), **given)
        return self.history

    def _targets(self, y: Any) -> Any:
        return y

    def _output(self, x: Any, **kwargs: Any) -> Any:
        verbose = kwargs.get("verbose", self.sk_params.get("verbose", 0))
        return self.model.predict(x, verbose=verbose)


class KerasClassifier(ClassifierMixin, BaseWrapper):  # type: ignore[misc]
    """A classifier."""

    def _targets(self, y: Any) -> Any:
        if y.ndim == 2 and y.shape[1] > 1:
            self.classes_ = numpy.arange(y.shape[1])
            return y
        self.classes_, y = numpy.unique(y, return_inverse=True)
        if getattr(self.model, "loss", None) == "categorical_crossentropy":
            return numpy.eye(len(self.classes_))[y]
        return y

    def predict(self, x: Any, **kwargs: Any) -> Any:
        """What the model says of each row."""
        output = self._output(x, **kwargs)
        found = (
            output.argmax(axis=-1) if output.shape[-1] > 1 else (output > 0.5).astype(int).ravel()
        )
        return self.classes_[found]

    def predict_proba(self, x: Any, **kwargs: Any) -> Any:
        """The probability of each class."""
        output = self._output(x, **kwargs)
        return numpy.hstack([1 - output, output]) if output.shape[-1] == 1 else output

    def score(self, x: Any, y: Any, **kwargs: Any) -> float:
        """How good that is."""
        y = numpy.asarray(y)
        true = self.classes_[y.argmax(axis=1)] if y.ndim == 2 and y.shape[1] > 1 else y.ravel()
        return float((self.predict(x) == true).mean())


class KerasRegressor(RegressorMixin, BaseWrapper):  # type: ignore[misc]
    """A regressor, whose score is the negative loss."""

    def predict(self, x: Any, **kwargs: Any) -> Any:
        """What the model says of each row."""
        return numpy.squeeze(self._output(x, **kwargs), axis=-1)

    def score(self, x: Any, y: Any, **kwargs: Any) -> float:
        """How good that is."""
        loss = self.model.evaluate(x, y, verbose=0)
        return -float(loss[0] if isinstance(loss, list) else loss)
