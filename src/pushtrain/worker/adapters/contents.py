"""What objects consist of, and how that is looked at, compared and changed in place."""

from __future__ import annotations

import copyreg
import hashlib
import operator
import pickle
import random
import sys
from types import BuiltinFunctionType, FunctionType
from typing import Any

_ARRAY, _LIST, _DICT, _NUMPY, _PYTHON, _PLAIN = "array", "list", "dict", "numpy", "python", "plain"
_CONSTANT, _NUMBER_TYPE, _REFERENCE, _VALUE = "constant", "type of numbers", "reference", "value"
_OWN_MEMORY = (type(None), bytes, bytearray, memoryview)
"""What an array's memory belongs to where it stays as long as the array does."""


class Snapshot:
    """What an object consisted of: its parts by identity, and the bytes of an array."""

    def __init__(self, thing: Any) -> None:
        self._parts = _parts(thing)
        self._bytes = _digest(thing)

    def is_of(self, thing: Any) -> bool:
        """Whether it still does."""
        parts = _parts(thing)
        if self._bytes != _digest(thing) or len(parts) != len(self._parts):
            return False
        return all(map(operator.is_, parts, self._parts))


def content(thing: Any) -> Any:
    """What `put` makes an object consist of; of another identity than all that it had."""
    kind = _kind(type(thing))
    if kind == _ARRAY:
        return thing.copy(order="K")
    if kind == _NUMPY:
        return thing.get_state(legacy=False)
    if kind == _PYTHON:
        return thing.getstate()
    if kind == _LIST:
        return list(thing)
    return dict(thing if kind == _DICT else vars(thing))


def check(thing: Any, content: Any) -> None:
    """Raises ValueError where an object cannot consist of that."""
    if is_array(thing) and (
        not thing.flags.writeable or (thing.shape, thing.dtype) != (content.shape, content.dtype)
    ):
        raise ValueError("this is another array")


def put(thing: Any, content: Any) -> None:
    """Makes an object consist of something else, in its place."""
    kind = _kind(type(thing))
    if kind in (_ARRAY, _LIST):
        thing[... if kind == _ARRAY else slice(None)] = content
    elif kind == _NUMPY:
        thing.set_state(content)
    elif kind == _PYTHON:
        thing.setstate(content)
    else:
        target = thing if kind == _DICT else vars(thing)
        target.clear()
        target.update(content)


def set_attributes(thing: Any, attributes: dict[str, Any]) -> None:
    """Gives an object attributes, past any way of its own."""
    vars(thing).update(attributes)


# --- kinds of objects ----------------------------------------------------------------------------


def can_change(thing: Any) -> bool:
    """Whether it is of a kind that can be changed in place."""
    return _kind(type(thing)) in (_ARRAY, _LIST, _DICT, _NUMPY, _PYTHON, _PLAIN)


def has_identity(kind: type) -> bool:
    """Whether it matters which of several equal objects of this class it is."""
    return _kind(kind) not in (_NUMBER_TYPE, _REFERENCE, _VALUE)


def is_array(thing: Any) -> bool:
    """Whether it is an array of NumPy's own class."""
    return _kind(type(thing)) == _ARRAY


def is_reference(kind: type) -> bool:
    """Whether objects of this class are pickled by their names."""
    return _kind(kind) == _REFERENCE


def _kind(cls: type) -> str:
    known = _kinds.get(cls)
    if known is None:
        known = _kinds[cls] = _kind_of(cls)
    return known


_kinds: dict[type, str] = {}


def _kind_of(cls: type) -> str:
    numpy: Any = sys.modules["numpy"]
    kinds = {
        str: _CONSTANT,
        bytes: _CONSTANT,
        tuple: _CONSTANT,
        frozenset: _CONSTANT,
        list: _LIST,
        dict: _DICT,
        numpy.ndarray: _ARRAY,
        numpy.random.RandomState: _NUMPY,
        random.Random: _PYTHON,
        FunctionType: _REFERENCE,
        BuiltinFunctionType: _REFERENCE,
    }
    if cls in kinds:
        return kinds[cls]
    if issubclass(cls, numpy.dtype):
        return _NUMBER_TYPE
    if issubclass(cls, type):
        return _REFERENCE
    return _PLAIN if _is_plain(cls) else _VALUE


def _is_plain(cls: Any) -> bool:
    """Whether an object's `__dict__` is all of it."""
    is_estimator = issubclass(cls, sys.modules["sklearn.base"].BaseEstimator)
    has_own_state = _differs(cls, "__getstate__") or _differs(cls, "__setstate__")
    return (
        cls.__new__ is object.__new__
        and any("__dict__" in vars(base) for base in cls.__mro__)
        and not copyreg._slotnames(cls)  # type: ignore[attr-defined]
        and not _differs(cls, "__reduce__")
        and not _differs(cls, "__reduce_ex__")
        and (is_estimator or not has_own_state)
    )


def _differs(cls: Any, name: str) -> bool:
    return getattr(cls, name, None) is not getattr(object, name, None)


# --- parts, and the memory of arrays -------------------------------------------------------------


def _parts(thing: Any) -> list[Any]:
    kind = _kind(type(thing))
    if kind == _ARRAY:
        return list(thing.flat) if thing.dtype.hasobject else []
    if kind in (_NUMPY, _PYTHON):
        return []
    if kind == _LIST:
        return list(thing)
    named = thing if kind == _DICT else vars(thing)
    return [*named, *named.values()]


def _digest(thing: Any) -> object:
    """What tells the bytes of an array, or the state of a generator, from others."""
    kind = _kind(type(thing))
    if kind in (_NUMPY, _PYTHON):
        return pickle.dumps(content(thing))
    if kind != _ARRAY or thing.dtype.hasobject:
        return None
    if not isinstance(owner(thing).base, _OWN_MEMORY):
        return None  # it shows the inside of another object, which may be gone when we look again
    flat = thing.reshape(-1) if thing.flags.c_contiguous else thing.T.reshape(-1)
    return hashlib.blake2b(flat.view(sys.modules["numpy"].uint8), digest_size=16).digest()


def owner(array: Any) -> Any:
    """The array whose memory this one looks at."""
    while is_array(array.base):
        array = array.base
    return array


def window(array: Any) -> tuple[Any, ...] | None:
    """Which part of its owner's memory an array looks at; None where that is its own."""
    whole = owner(array)
    if whole is array or not isinstance(whole.base, _OWN_MEMORY):
        return None
    offset = array.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
    is_writeable = array.flags.writeable
    return whole.nbytes, offset, array.shape, array.strides, array.dtype, is_writeable


def seen_through(array: Any, window: tuple[Any, ...]) -> Any:
    """An array that looks at the same memory as another one; see `window`.

    Raises:
        ValueError: that memory is of another size, or cannot be looked at.
    """
    whole = owner(array)
    size, offset, shape, strides, dtype, is_writeable = window
    if whole.nbytes != size:
        raise ValueError("this is other memory")
    flat = (whole if whole.flags.c_contiguous else whole.T).reshape(-1)
    made = sys.modules["numpy"].ndarray(shape, dtype, flat, offset, strides)
    made.flags.writeable = is_writeable
    return made
