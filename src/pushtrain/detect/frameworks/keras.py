"""Keras in all its shapes: tf.keras, Keras 3 on any backend, and what the years before wrote.

Raw TensorFlow (a `GradientTape`, a TensorFlow 1 session) counts as Keras: the image is the same.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from pushtrain.code import Expr, External, Literal, Made
from pushtrain.detect import data
from pushtrain.detect.facts import Facts, Finding, Use
from pushtrain.detect.frameworks.keras_backend import backend
from pushtrain.detect.frameworks.keras_family import family
from pushtrain.entities import Evidence, Task

_DATA = data.load("frameworks/keras.toml")
_TRAINING = _DATA["training"]
_METHODS = frozenset(_TRAINING["methods"])
_KEYWORDS = frozenset(_TRAINING["keywords"])
_is_model = data.matcher(_TRAINING["models"])
_trains = data.matcher(_TRAINING["calls"])
_wraps = data.matcher(_TRAINING["wrappers"])
_constructs = data.matcher(_TRAINING["constructs"])
_is_other_model = data.matcher(["sklearn.**"])
_WITHOUT_QUESTION = frozenset({"autoencoder", "vae", "gan", "rl"})
_KNOWN_PACKAGES = ("keras.", "sklearn.", "torch.", "builtins.")
RANK = 10
RANK_OF_LOOPS = 3
"""Before PyTorch and JAX, whose own code steps the Keras model."""


def find(facts: Facts) -> Finding | None:
    """What Keras trains in the program; None when it trains nothing."""
    trainings = tuple(_trainings(facts))
    runs_on, runs_why, warnings = backend(facts)
    rank = RANK
    if not trainings:
        rank, trainings = RANK_OF_LOOPS, tuple(_loops(facts, runs_on))
    if not trainings:
        return None
    kind, why = family(facts, [use for use, _ in trainings])
    task, task_why = (Task.OTHER, ()) if kind in _WITHOUT_QUESTION else _task(facts)
    first, what = trainings[0]
    return Finding(
        framework="keras",
        family=kind,
        task=task,
        evidence=(first.evidence(f"trains: {what}"), *why, *runs_why, *task_why),
        rank=rank,
        backend=runs_on,
        needs=("keras", runs_on),
        warnings=warnings,
    )


def _trainings(facts: Facts) -> Iterator[tuple[Use, str]]:
    """The calls that train a Keras model, with what they call."""
    for use in facts.uses:
        for name in use.names:
            base, _, method = name.rpartition(".")
            if _trains(name) or (method in _METHODS and _is_model(base)):
                yield use, name
                break
            if name.startswith("sklearn.") and _is_handed_a_model(facts, use):
                yield use, f"{name} of a Keras model"
                break
        else:
            if use.call.method in _METHODS and _looks_like_fit(facts, use):
                yield use, f"{use.call.method} with Keras' arguments"


def _loops(facts: Facts, runs_on: str) -> Iterator[tuple[Use, str]]:
    """The calls that step a Keras model with the means of PyTorch or JAX."""
    loops = data.matcher(_TRAINING["loops"].get(runs_on, ()))
    if facts.first(_constructs) is not None:
        yield from facts.calls(loops)


def _is_handed_a_model(facts: Facts, use: Use) -> bool:
    """Whether a search or validation of scikit-learn gets a wrapped Keras model."""
    if use.call.method not in _METHODS and not use.call.method.startswith("cross_val"):
        return False
    subject = use.call.receiver if use.call.method in _METHODS else None
    given = subject or use.call.argument("estimator", 0)
    return any(_wraps(name) for name in facts.made(given))


def _looks_like_fit(facts: Facts, use: Use) -> bool:
    """Whether a `fit` of something unknown can only be Keras'."""
    if any(not isinstance(value, External) for value in facts.program.values(use.call.function)):
        return False  # a function of this program
    if any(name.startswith(_KNOWN_PACKAGES) for name in use.names):
        return False
    given = {keyword.arg for keyword in use.call.node.keywords}
    if given & _KEYWORDS:
        return facts.first(lambda name: name.startswith("keras.")) is not None
    if use.names:
        return False
    return facts.first(_constructs) is not None and facts.first(_is_other_model) is None


def _task(facts: Facts) -> tuple[Task, tuple[Evidence, ...]]:
    """What the losses and metrics ask; a class metric beside a squared loss means classes."""
    lists = _DATA["tasks"]
    regression: Evidence | None = None
    for use, word in _measures(facts):
        if word in lists["classification"]:
            return Task.CLASSIFICATION, (use.evidence(f"classification: {word}"),)
        if word in lists["regression"] and regression is None:
            regression = use.evidence(f"regression: {word}")
    return (Task.REGRESSION, (regression,)) if regression else (Task.OTHER, ())


def _measures(facts: Facts) -> Iterator[tuple[Use, str]]:
    """The losses and metrics that the program uses, in small letters."""
    for use in facts.uses:
        for name in use.names:
            if name.startswith(("keras.losses.", "tensorflow.nn.", "tensorflow.losses.")):
                yield use, name.split(".")[2].lower()
        if use.call.method == "compile":
            for key, position in (("loss", 1), ("metrics", 2)):
                given = use.call.argument(key, position)
                if given is not None:
                    yield from ((use, word) for word in _words(facts, given))


def _words(facts: Facts, expr: Expr, depth: int = 0) -> Iterator[str]:
    for value in facts.program.values(expr):
        if isinstance(value, Literal):
            node = value.expr.node
            if isinstance(node, ast.Constant):
                yield str(node.value).lower()
            elif depth < 3:
                for child in getattr(node, "elts", None) or getattr(node, "values", None) or ():
                    yield from _words(facts, value.expr.at(child), depth + 1)
        elif isinstance(value, External | Made):
            yield value.name.rpartition(".")[2].lower()
