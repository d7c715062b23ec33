"""Python values as JSON and raw arrays, and back: exactly, and without running anything.

What cannot be had back exactly is refused, so that nobody continues with half of a value. A packed
value that is not plain JSON by itself is an object with one name, that of its kind.
"""

from __future__ import annotations

import collections
import math
import random
import sys
import types
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

_MOST_DEPTH = 20
_MOST_VALUES = 1_000_000


class Refused(TypeError):
    """A value that cannot be packed, or not be had back."""


class Packing:
    """Packs values; the arrays among them become blobs.

    Attributes:
        blobs: raw bytes by name; they look into the arrays, and change with them.
    """

    def __init__(self) -> None:
        self.blobs: dict[str, Any] = {}
        self._values = self._depth = 0

    def put(self, value: Any) -> Any:
        """The JSON that stands for a value.

        Raises:
            Refused: it holds something else than plain values, arrays and generators.
        """
        self._values += 1
        if value is None or isinstance(value, bool) or type(value) in (int, str):
            return value
        if type(value) is float and math.isfinite(value):
            return value
        if self._depth > _MOST_DEPTH or self._values > _MOST_VALUES:
            raise Refused("too deep, or too much")
        for name, kind in _KINDS.items():
            if kind.is_one(value):
                self._depth += 1
                try:
                    return {name: kind.put(self, value)}
                finally:
                    self._depth -= 1
        raise Refused(type(value).__name__)

    def array(self, value: Any) -> list[Any]:
        """The JSON that stands for an array of NumPy where it is known to be one.

        Raises:
            Refused: it is made of objects or records.
        """
        import numpy

        kind = value.dtype.kind
        if kind == "O" or value.dtype.names:
            raise Refused("an array of objects")
        # Types that others have added to NumPy, such as bfloat16, are known by name alone.
        dtype = value.dtype.name if kind == "V" else value.dtype.str
        raw = numpy.ascontiguousarray(value).reshape(-1).view(numpy.uint8)
        return [self.blob(raw), dtype, list(value.shape)]

    def blob(self, data: Any) -> str:
        """Keeps raw bytes; gives their name."""
        name = str(len(self.blobs))
        self.blobs[name] = data
        return name


def unpacked(packed: Any, blobs: Mapping[str, Any], known: Any = None) -> Any:
    """The value that was packed.

    Args:
        packed: what `Packing.put` gave.
        blobs: those of the packing.
        known: what stands in its place now. Where it can, it becomes the value, so that whoever
            else holds it has the value as well.

    Raises:
        Refused: it is nothing that was packed, or not to be had here.
    """
    if not isinstance(packed, dict):
        return packed
    name, held = next(iter(packed.items()))
    if name not in _KINDS:
        raise Refused(name)
    return _KINDS[name].get(held, blobs, known)


def array(packed: list[Any], blobs: Mapping[str, Any]) -> Any:
    """An array that was packed by `Packing.array`; it looks into its blob."""
    import numpy

    blob, dtype, shape = packed
    return numpy.frombuffer(blobs[blob], numpy.uint8).view(numpy.dtype(dtype)).reshape(shape)


# --- the kinds of values -----------------------------------------------------------------------


class _Kind(NamedTuple):
    """How values of one kind are known, packed, and had back (of which blobs, into what)."""

    is_one: Callable[[Any], bool]
    put: Callable[[Packing, Any], Any]
    get: Callable[[Any, Mapping[str, Any], Any], Any]


def _several(kind: Any) -> _Kind:
    def get(held: Any, blobs: Mapping[str, Any], known: Any) -> Any:
        items = [unpacked(item, blobs) for item in held]
        if not isinstance(known, kind) or kind in (tuple, frozenset):
            return kind(items)
        known.clear()
        (known.update if kind is set else known.extend)(items)
        return known

    return _Kind(
        lambda value: isinstance(value, kind),
        lambda packing, value: [packing.put(item) for item in value],
        get,
    )


def _put_dict(packing: Packing, value: Any) -> list[Any]:
    kinds = (name for name in _DICTS if isinstance(value, getattr(collections, name)))
    missing = packing.put(getattr(value, "default_factory", None))
    items = [[packing.put(key), packing.put(item)] for key, item in value.items()]
    return [next(kinds, ""), missing, items]


def _get_dict(held: Any, blobs: Mapping[str, Any], known: Any) -> Any:
    kind, missing, packed = held
    items = {unpacked(key, blobs): unpacked(item, blobs) for key, item in packed}
    if isinstance(known, dict):
        known.clear()
        known.update(items)
        return known
    if kind == "defaultdict":
        return collections.defaultdict(unpacked(missing, blobs), items)
    return getattr(collections, kind)(items) if kind in _DICTS else items


_DICTS = ("defaultdict", "OrderedDict", "Counter")


def _put_address(_: Packing, value: Any) -> list[str]:
    """Where a function or a class is found again."""
    module = str(getattr(value, "__module__", None) or type(value).__module__)
    name = str(getattr(value, "__qualname__", None) or getattr(value, "__name__", ""))
    if _get_address((module, name)) is not value:
        raise Refused(name)
    return [module, name]


_NAMED = (types.FunctionType, types.BuiltinFunctionType, type)


def _get_address(held: Any, *_: Any) -> Any:
    module, name = held
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is None:
        raise Refused(f"{module}.{name}")
    return found


def _get_random(held: Any, blobs: Mapping[str, Any], known: Any) -> random.Random:
    generator = known if type(known) is random.Random else random.Random()  # noqa: S311
    generator.setstate(unpacked(held, blobs))
    return generator


def _is_numpys(*path: str) -> Callable[[Any], bool]:
    """Whether a value is of a class of NumPy, if that is there at all."""

    def is_one(value: Any) -> bool:
        kind: Any = sys.modules.get("numpy")
        for name in path:
            kind = getattr(kind, name, None)
        return kind is not None and isinstance(value, kind)

    return is_one


def _get_array(held: Any, blobs: Mapping[str, Any], known: Any) -> Any:
    value = array(held, blobs)
    is_like = _KINDS["array"].is_one(known) and known.flags.writeable
    if not is_like or (known.shape, known.dtype) != (value.shape, value.dtype):
        return value.copy()
    known[...] = value
    return known


def _get_generator(held: Any, blobs: Mapping[str, Any], known: Any) -> Any:
    import numpy

    state = unpacked(held, blobs)
    if not isinstance(known, numpy.random.Generator):
        known = numpy.random.Generator(getattr(numpy.random, state["bit_generator"])())
    known.bit_generator.state = state
    return known


def _get_state(held: Any, blobs: Mapping[str, Any], known: Any) -> Any:
    import numpy

    known = known if isinstance(known, numpy.random.RandomState) else numpy.random.RandomState()
    known.set_state(unpacked(held, blobs))
    return known


def _put_variable(packing: Packing, value: Any) -> list[Any]:
    import numpy

    return packing.array(numpy.asarray(value.numpy()))


def _get_variable(held: Any, blobs: Mapping[str, Any], known: Any) -> Any:
    if not hasattr(known, "assign"):
        raise Refused("a variable that is not there")
    known.assign(array(held, blobs))
    return known


_KINDS = {
    "list": _several(list),
    "tuple": _several(tuple),
    "set": _several(set),
    "frozenset": _several(frozenset),
    "deque": _several(collections.deque),
    "dict": _Kind(lambda value: isinstance(value, dict), _put_dict, _get_dict),
    "float": _Kind(
        lambda value: type(value) is float,
        lambda _, value: repr(value),
        lambda held, *_: float(held),
    ),
    "bytes": _Kind(
        lambda value: type(value) is bytes,
        Packing.blob,
        lambda held, blobs, _: bytes(blobs[held]),
    ),
    "address": _Kind(
        lambda value: isinstance(value, _NAMED) or _is_numpys("ufunc")(value),
        _put_address,
        _get_address,
    ),
    "random": _Kind(
        lambda value: type(value) is random.Random,
        lambda packing, value: packing.put(value.getstate()),
        _get_random,
    ),
    "array": _Kind(_is_numpys("ndarray"), lambda packing, value: packing.array(value), _get_array),
    "scalar": _Kind(
        _is_numpys("generic"),
        lambda packing, value: packing.array(value.reshape(())),
        lambda held, blobs, _: array(held, blobs)[()],
    ),
    "generator": _Kind(
        _is_numpys("random", "Generator"),
        lambda packing, value: packing.put(value.bit_generator.state),
        _get_generator,
    ),
    "state": _Kind(
        _is_numpys("random", "RandomState"),
        lambda packing, value: packing.put(value.get_state(legacy=False)),
        _get_state,
    ),
    "variable": _Kind(
        lambda value: hasattr(value, "assign") and hasattr(value, "numpy"),
        _put_variable,
        _get_variable,
    ),
}
