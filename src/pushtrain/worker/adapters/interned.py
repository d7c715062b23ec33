"""Objects that are one wherever they occur: names, and NumPy's types of numbers.

A pickle shows who shares an object, and so does a model's file. So what is read again must hold the
very same ones.
"""

from __future__ import annotations

import importlib
import io
import pickle
import sys
from typing import Any

_LONGEST_NAME = 100
_PROTOCOL = 4
"""Arrays that the later one reads do not lie in memory of NumPy's own."""


def name_of(thing: Any) -> str | bytes | None:
    """How such an object is named, by which `of_name` finds it; None for any other."""
    if type(thing) is str:
        is_name = len(thing) <= _LONGEST_NAME and sys.intern(thing) is thing
        return thing if is_name else None
    numpy: Any = sys.modules.get("numpy")
    if numpy is not None and isinstance(thing, numpy.dtype):
        return _place(thing).encode() or None
    return None


def of_name(name: str | bytes) -> Any:
    """The object of that name.

    Raises:
        AttributeError, ModuleNotFoundError, TypeError: there is none.
    """
    if isinstance(name, str):
        return sys.intern(name)
    module, _, attribute = name.decode().partition(":")
    if not attribute:
        return importlib.import_module("numpy").dtype(module)
    return getattr(importlib.import_module(module), attribute)


def dumps(thing: Any) -> bytes:
    """A pickle that `loads` reads; raises whatever pickling raises."""
    file = io.BytesIO()
    _Pickler(file, _PROTOCOL).dump(thing)
    return file.getvalue()


def loads(pickled: bytes | memoryview) -> Any:
    """What was pickled by `dumps`; raises whatever unpickling raises."""
    return _Unpickler(io.BytesIO(pickled)).load()


class _Pickler(pickle.Pickler):
    persistent_id = staticmethod(name_of)


class _Unpickler(pickle.Unpickler):
    persistent_load = staticmethod(of_name)


def _place(kind: Any) -> str:
    """Where the one object is that stands for a type of numbers; empty where there are several.

    That of floats is one wherever it occurs; that of records may be a module's.
    """
    numpy: Any = sys.modules["numpy"]
    if kind is numpy.dtype(kind.str):
        return str(kind.str)
    if id(kind) not in _places:
        _places[id(kind)] = kind, _found(kind)
    return _places[id(kind)][1]


_places: dict[int, tuple[Any, str]] = {}


def _found(kind: Any) -> str:
    for module, known in list(sys.modules.items()):
        for name, value in list(getattr(known, "__dict__", {}).items()):
            if value is kind and name.isidentifier():
                return f"{module}:{name}"
    return ""
