"""The random generators that everybody shares: Python's, NumPy's, and those of the backends."""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping
from typing import Any


def states() -> dict[str, Any]:
    """The states of all that are there, by name: plain values and arrays."""
    return {name: get() for name, (get, _) in _generators().items()}


def put_back(states: Mapping[str, Any], but: frozenset[str]) -> None:
    """Puts them back into these states, but for some of them.

    Raises:
        Exception: a state is not one.
    """
    there = _generators()
    for name, state in states.items():
        if name in there and name not in but:
            there[name][1](state)


PYTHON = frozenset({"random", "numpy"})
"""What code in Python draws from."""


def _generators() -> dict[str, Any]:
    """How to read and how to set each one, by name."""
    found: dict[str, Any] = {"random": (random.getstate, random.setstate)}
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        get = numpy.random.get_state
        found["numpy"] = (lambda: get(legacy=False), numpy.random.set_state)
    eager = sys.modules.get("tensorflow.python.eager.context")
    seeds = getattr(eager.context(), "_rng", None) if eager is not None else None
    if seeds is not None:  # gives each operation that is run eagerly a seed of its own
        found["tensorflow"] = (seeds.getstate, seeds.setstate)
    torch = sys.modules.get("torch")
    if torch is not None:
        found["torch"] = (
            lambda: torch.get_rng_state().numpy(),
            lambda state: torch.set_rng_state(torch.tensor(state)),
        )
    for name, variable in _variables().items():
        found[name] = (lambda held=variable: _value(held), variable.assign)
    return found


def _variables() -> dict[str, Any]:
    """Generators whose state is a variable, where somebody has drawn from them."""
    found = {}
    keras = sys.modules.get("keras.src.backend.common.global_state")
    own = keras.get_global_attribute("global_seed_generator") if keras is not None else None
    if own is not None:
        found["keras"] = own.state
    stateful = sys.modules.get("tensorflow.python.ops.stateful_random_ops")
    shared = getattr(stateful, "global_generator", None)
    if shared is not None:
        found["tensorflow.generator"] = shared.state
    return found


def _value(variable: Any) -> Any:
    import numpy

    return numpy.asarray(sys.modules["keras"].ops.convert_to_numpy(variable))
