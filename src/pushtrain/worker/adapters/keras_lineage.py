"""Which fits a Keras model went through: its own, those of layers it shares, and weights it took.

Weights travel by shared layers, by files and by `get_weights`/`set_weights`.
"""

from __future__ import annotations

import os
import sys
import weakref
from typing import Any

from pushtrain.worker.adapters.seen import Data, Fit, History
from pushtrain.worker.adapters.wrapping import Guard, argument, wrap

_LOADERS = (
    "keras.src.saving.saving_api",
    "keras.saving",
    "keras.models",
    "keras._tf_keras.keras.saving",
    "keras._tf_keras.keras.models",
)


class Lineage:
    """Follows where the weights of a script's models come from."""

    def __init__(self, guard: Guard, history: History) -> None:
        self._guard = guard
        self._history = history
        self._files: dict[str, set[int]] = {}
        self._copies: dict[int, tuple[Any, set[int]]] = {}
        self.loops: dict[int, Data] = {}

    def follow(self, keras: Any) -> None:
        """Follows every way in which weights leave a model or come into one."""
        wrap(keras.Model, "save", self._around_save)
        wrap(keras.Model, "save_weights", self._around_save)
        wrap(keras.Model, "load_weights", self._around_load_weights)
        wrap(keras.Layer, "get_weights", self._around_get)
        wrap(keras.Layer, "set_weights", self._around_set)
        for name in _LOADERS:
            module = sys.modules.get(name)
            if module is not None and hasattr(module, "load_model"):
                wrap(module, "load_model", self._around_load_model)

    def fit(self, model: Any) -> Fit:
        """A fit of this model begins."""
        return self._history.begin(model, *_trained_layers(model))

    def files(self) -> dict[str, list[int]]:
        """The fits behind each file that a model was saved to."""
        return {path: sorted(fits) for path, fits in self._files.items()}

    def put_back(self, files: dict[str, list[int]]) -> None:
        """Files that an earlier attempt saved are there again."""
        self._files.update((path, set(fits)) for path, fits in files.items())

    def of(self, model: Any) -> set[int]:
        """The fits that a model went through; all of them for one of unknown origin."""
        known = self._known(model)
        return self._history.all if known is None else known

    def _known(self, model: Any) -> set[int] | None:
        known = [self._history.of(part) for part in (model, *_layers(model))]
        found = [fits for fits in known if fits is not None]
        return set().union(*found) if found else None

    def _took(self, model: Any, fits: set[int]) -> None:
        for part in (model, *_layers(model)):
            self._history.took(part, fits, anew=True)

    def _around_save(self, save: Any, model: Any, /, *args: Any, **kwargs: Any) -> Any:
        result = save(model, *args, **kwargs)
        path = argument(args, kwargs, 0, "filepath")
        self._guard.quietly("a saved model", self._saved, model, path)
        return result

    def _saved(self, model: Any, path: Any) -> None:
        if isinstance(path, (str, os.PathLike)):
            self._files[os.path.abspath(path)] = self.of(model)  # noqa: PTH100

    def _loaded(self, model: Any, path: Any) -> None:
        is_path = isinstance(path, (str, os.PathLike))
        known = self._files.get(os.path.abspath(path)) if is_path else None  # noqa: PTH100
        self._took(model, set() if known is None else known)

    def _around_load_weights(self, load: Any, model: Any, /, *args: Any, **kwargs: Any) -> Any:
        result = load(model, *args, **kwargs)
        path = argument(args, kwargs, 0, "filepath")
        self._guard.quietly("loaded weights", self._loaded, model, path)
        return result

    def _around_load_model(self, load: Any, /, *args: Any, **kwargs: Any) -> Any:
        model = load(*args, **kwargs)
        path = argument(args, kwargs, 0, "filepath")
        self._guard.quietly("a loaded model", self._loaded, model, path)
        return model

    def _around_get(self, get: Any, model: Any) -> Any:
        weights = get(model)
        self._guard.quietly("copied weights", self._copied, model, weights)
        return weights

    def _copied(self, model: Any, weights: Any) -> None:
        if self._guard.depth == 1 and weights:
            key = id(weights[0])
            reference = weakref.ref(weights[0], lambda _: self._copies.pop(key, None))
            self._copies[key] = (reference, self._known(model) or set())

    def _around_set(self, set_weights: Any, model: Any, weights: Any) -> Any:
        result = set_weights(model, weights)
        self._guard.quietly("copied weights", self._pasted, model, weights)
        return result

    def _pasted(self, model: Any, weights: Any) -> None:
        if self._guard.depth == 1 and len(weights):  # not a callback that restores its best epoch
            known = self._copies.get(id(weights[0]))
            self._took(model, known[1] if known else self._history.all)


def _layers(model: Any) -> list[Any]:
    """Every layer with weights of its own."""
    if not hasattr(model, "_flatten_layers"):
        return []
    layers = model._flatten_layers(include_self=False, recursive=True)
    return [layer for layer in layers if getattr(layer, "_trainable_variables", None)]


def _trained_layers(model: Any) -> list[Any]:
    return [layer for layer in _layers(model) if getattr(layer, "trainable", True)]
