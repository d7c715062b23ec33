"""All that training changes in a Keras model: weights, optimizers, metrics, and seeds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from pushtrain.worker.adapters.packing import Packing, array

_LOOKED_AT = 4096
"""Numbers of a variable."""


class ModelState:
    """The variables of a model and of what trains it, in an order that is always the same."""

    def __init__(self, keras: Any, model: Any) -> None:
        self._keras = keras
        self._model = model

    def packed(self, packing: Packing) -> list[Any]:
        """Their values, packed; what the blobs look into is the model's own memory."""
        return [[name, packing.array(self._read(one))] for name, one in self._variables()]

    def look(self) -> str:
        """What tells these values from others at little cost."""
        import numpy

        digest = hashlib.blake2b(digest_size=16)
        for name, one in self._variables():
            flat = numpy.asarray(self._read(one)).reshape(-1)
            some = numpy.ascontiguousarray(flat[:: 1 + flat.size // _LOOKED_AT])
            digest.update(f"{name} {flat.size}".encode() + some.view(numpy.uint8).tobytes())
        return digest.hexdigest()

    def differs(self, packed: list[Any]) -> str:
        """What keeps these values from being the model's; an empty string where nothing does."""
        there = [f"{name} {list(variable.shape)}" for name, variable in self._variables()]
        saved = [f"{name} {shape}" for name, (_, _, shape) in packed]
        if len(there) != len(saved):
            return f"{len(there)} variables where there were {len(saved)}"
        changed = (index for index, name in enumerate(there) if name != saved[index])
        return next((f"{there[index]} where there was {saved[index]}" for index in changed), "")

    def put_back(self, packed: list[Any], blobs: Mapping[str, Any]) -> None:
        """Puts values back that do not differ."""
        for index, (_, variable) in enumerate(self._variables()):
            variable.assign(array(packed[index][1], blobs))

    def _variables(self) -> Iterator[tuple[str, Any]]:
        model = self._model
        layers = list(model._flatten_layers())
        optimizers = [value for value in _held(model) if self._is_optimizer(value)]
        metrics = [metric for layer in layers for metric in getattr(layer, "_metrics", ())]
        every = [
            *model.variables,
            *(variable for one in optimizers for variable in one.variables),
            *model.metrics_variables,
            *(variable for metric in metrics for variable in metric.variables),
            *(raw for layer in layers for value in _held(layer) for raw in _raw(value)),
        ]
        seen = set()
        for variable in every:
            if id(variable) not in seen:
                seen.add(id(variable))
                yield str(getattr(variable, "path", variable.name)), variable

    def _read(self, variable: Any) -> Any:
        import numpy

        if self._keras.backend.backend() != "tensorflow":
            return numpy.asarray(self._keras.ops.convert_to_numpy(variable))
        # Keras' own way copies, and takes six times as long for a model of many small variables.
        own = variable.value if isinstance(variable, self._keras.Variable) else variable
        return numpy.asarray(own.value())

    def _is_optimizer(self, value: Any) -> bool:
        return isinstance(value, self._keras.optimizers.Optimizer)


def _held(owner: Any) -> Iterator[Any]:
    """What an object has as attributes, and what the lists and dictionaries among them have."""
    for value in list(vars(owner).values()):
        if isinstance(value, (list, tuple)):
            yield from value
        elif isinstance(value, dict):
            yield from value.values()
        else:
            yield value


def _raw(value: Any) -> list[Any]:
    """Variables and generators of TensorFlow itself, which Keras does not count as its own."""
    if not type(value).__module__.startswith("tensorflow."):
        return []
    if hasattr(value, "handle") and hasattr(value, "assign"):
        return [value]
    state = getattr(value, "_state_var", None)
    return [state] if state is not None else []
