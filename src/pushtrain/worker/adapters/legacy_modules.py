"""The import paths of 2016-2020: modules that Keras 3 has no more, and names that moved.

Nothing that exists is replaced: a finder at the end of the path answers only for what nobody else
found, and names are added only where they are missing.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

ROOTS = ("keras", "keras._tf_keras.keras", "tensorflow.keras")
"""Where its names are: Keras itself, `tf.keras`, and what `import tensorflow.keras.x` makes."""

_PLAIN = (
    "layers",
    "utils",
    "callbacks",
    "optimizers",
    "regularizers",
    "initializers",
    "constraints",
    "metrics",
    "losses",
    "activations",
    "backend",
    "models",
)
"""Modules that had submodules: whatever is imported from one of those is looked up here."""

_MOVED = {
    "objectives": ["losses"],
    "initializations": ["initializers"],
    "engine": ["", "layers", "models", "utils"],
    "legacy.layers": ["layers"],
}

_NAMES = {
    "layers": {
        "Deconvolution2D": "Conv2DTranspose",
        "Deconv2D": "Conv2DTranspose",
        "CuDNNLSTM": "LSTM",
        "CuDNNGRU": "GRU",
        "TimeDistributedDense": "Dense",
        "AtrousConvolution1D": "Conv1D",
        "AtrousConvolution2D": "Conv2D",
    },
    "regularizers": {"l1l2": "l1_l2", "WeightRegularizer": "l1_l2"},
    "constraints": {"maxnorm": "MaxNorm", "nonneg": "NonNeg", "unitnorm": "UnitNorm"},
    "optimizers": {
        **{name.lower(): name for name in ("SGD", "Adam", "Adagrad", "Adadelta", "Adamax")},
        "rmsprop": "RMSprop",
        "nadam": "Nadam",
    },
    "losses": {
        "kullback_leibler_divergence": "kl_divergence",
        "logcosh": "log_cosh",
        **{
            short: "mean_" + long
            for short, long in {
                "mse": "squared_error",
                "MSE": "squared_error",
                "mae": "absolute_error",
                "MAE": "absolute_error",
                "mape": "absolute_percentage_error",
                "msle": "squared_logarithmic_error",
            }.items()
        },
    },
}
_SOURCES = {
    "preprocessing.image": "keras._tf_keras.keras.preprocessing.image",
    "preprocessing.text": "keras._tf_keras.keras.preprocessing.text",
    "preprocessing.sequence": "keras._tf_keras.keras.preprocessing.sequence",
    "backend": "keras.src.legacy.backend",
    "layers": "keras.src.legacy.layers",
}
"""Where Keras 3 keeps what it has taken out of sight."""

_OURS = "pushtrain.worker.adapters.legacy_functions"


class Finder:
    """Makes modules that are gone, and completes those of `tensorflow.keras` as they are made."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`."""
        root, suffix = _split(name)
        if not root or not sources(root, suffix):
            return None
        return ModuleSpec(name, self, is_package=True)  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        """The usual module."""

    def exec_module(self, module: ModuleType) -> None:
        """Takes over the names of where things are today."""
        root, suffix = _split(module.__name__)
        note_legacy()
        for name in reversed(sources(root, suffix)):
            source = importlib.import_module(name)
            public = {key: value for key, value in vars(source).items() if key[0] != "_"}
            vars(module).update(public)
        vars(module).pop("__all__", None)


class Completer:
    """Completes the modules that `import tensorflow.keras.x` makes anew."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`."""
        if not name.startswith("tensorflow.keras."):
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def execute_and_complete(module: ModuleType) -> None:
            execute(module)
            complete(module)

        spec.loader.exec_module = execute_and_complete  # type: ignore[method-assign]
        return spec


_IS_LEGACY = [False]


def note_legacy() -> None:
    """The script has shown that it is old."""
    _IS_LEGACY[0] = True


def is_legacy() -> bool:
    """Whether the script has shown that it is old."""
    return _IS_LEGACY[0]


def install() -> None:
    """Answers for the old import paths from now on."""
    if not any(isinstance(finder, Finder) for finder in sys.meta_path):
        sys.meta_path.append(Finder())
        sys.meta_path.insert(0, Completer())


def complete_all() -> None:
    """Adds the names that are missing to every module of Keras there is."""
    for name, module in list(sys.modules.items()):
        if module is not None and _split(name)[0]:
            complete(module)


def complete(module: ModuleType) -> None:
    """Adds the names that a module had once and has no more."""
    root, suffix = _split(module.__name__)
    if not root:
        return
    for name, today in _NAMES.get(suffix, {}).items():
        if not hasattr(module, name) and hasattr(module, today):
            setattr(module, name, getattr(module, today))
    if suffix in _SOURCES:
        with contextlib.suppress(ImportError):  # TensorFlow's, where another backend is
            _add_missing(module, importlib.import_module(_SOURCES[suffix]))
    ours = vars(importlib.import_module(_OURS)).get("IN_" + suffix.replace(".", "_").upper(), {})
    for name, value in ours.items():
        if not hasattr(module, name):
            setattr(module, name, value)
    if suffix == "optimizers.legacy":
        optimizers = importlib.import_module("keras.optimizers")
        for name, value in vars(optimizers).items():
            if isinstance(value, type):
                setattr(module, name, value)
    if suffix == "layers":
        convolution = vars(importlib.import_module(_OURS))["convolution"]
        for name in ("Convolution1D", "Convolution2D", "Convolution3D"):
            setattr(module, name, convolution(getattr(module, name)))


def sources(root: str, suffix: str) -> list[str]:
    """Where the names of a module that is gone are today; empty if it never was one."""
    if suffix == "wrappers.scikit_learn":
        return ["pushtrain.worker.adapters.legacy_wrappers"]
    if suffix in _SOURCES and suffix.startswith("preprocessing."):
        return [_SOURCES[suffix]]
    for known, today in _MOVED.items():
        if suffix == known or suffix.startswith(known + "."):
            return [f"{root}.{name}".rstrip(".") for name in today]
    first, _, rest = suffix.partition(".")
    return [f"{root}.{first}"] if rest and first in _PLAIN else []


def _split(name: str) -> tuple[str, str]:
    for root in reversed(ROOTS):
        if name == root:
            return root, ""
        if name.startswith(root + "."):
            suffix = name[len(root) + 1 :]
            return ("", "") if suffix.startswith(("src", "_tf_keras")) else (root, suffix)
    return "", ""


def _add_missing(module: ModuleType, source: Any) -> None:
    for name, value in vars(source).items():
        if name[0] != "_" and not hasattr(module, name) and callable(value):
            setattr(module, name, value)
