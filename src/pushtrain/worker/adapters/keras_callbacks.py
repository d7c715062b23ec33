"""What callbacks know besides the model: their attributes, and what their functions remember.

A callback of the script's own may keep what it has seen in an attribute, in a variable of its
module or in one that its function encloses, and Keras' own ones have attributes. What changes of
that while a model is trained, and can be packed, is the callbacks' state.
"""

from __future__ import annotations

import csv
import hashlib
import json
import sys
import types
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pushtrain.worker.adapters.packing import Packing, unpacked
from pushtrain.worker.frames import Frames

OURS = "__pushtrain__"
"""An attribute that marks a callback of ours."""

_LARGE = 32 * 1024 * 1024
"""Bytes from which on an array counts as changed only when it is another one."""
_MOST_DEPTH = 3
_NOT_STATE = {"model", "_model", "params"}


@dataclass(frozen=True)
class _Place:
    """Where a value is kept.

    Attributes:
        key: the same in every attempt.
        owner: an object, the variables of a module, or a cell.
        name: of the value there.
    """

    key: str
    owner: Any
    name: str

    def get(self) -> Any:
        if isinstance(self.owner, types.CellType):
            return self.owner.cell_contents
        return self._names[self.name]

    def set(self, value: Any) -> None:
        if isinstance(self.owner, types.CellType):
            self.owner.cell_contents = value
        elif isinstance(self.owner, dict):
            self.owner[self.name] = value
        else:
            setattr(self.owner, self.name, value)

    @property
    def _names(self) -> dict[str, Any]:
        return self.owner if isinstance(self.owner, dict) else vars(self.owner)


class CallbackState:
    """What the callbacks of one fit know; made when the fit begins.

    Args:
        callbacks: all of them, in their order.
        model: what is trained; a class of the script's own may keep something as well.
        frames: tells the script's own code.
    """

    def __init__(self, callbacks: Sequence[Any], model: Any, frames: Frames) -> None:
        self._callbacks = [one for one in callbacks if not hasattr(one, OURS)]
        self._model = model
        self._frames = frames
        self._begun = {place.key: _mark(place) for place in self._places()}

    def packed(self, packing: Packing) -> dict[str, Any]:
        """What has changed since the fit began, by place."""
        changed = {}
        for place in self._places():
            mark = _mark(place)
            if mark is not None and mark != self._begun.get(place.key):
                changed[place.key] = packing.put(place.get())
        return {"places": changed, "tables": self._tables()}

    def put_back(self, state: Mapping[str, Any], blobs: Mapping[str, Any]) -> None:
        """Puts it back; files that were open are there again by now."""
        places = {place.key: place for place in self._places()}
        for key, packed in state["places"].items():
            place = places.get(key) or self._new(key)
            if place is not None:
                known = place.get() if key in places else None
                place.set(unpacked(packed, blobs, known))
        for index, names in state["tables"]:
            _open_table(self._callbacks[index], names)

    def _tables(self) -> list[Any]:
        """Which callbacks have begun to write a table, and its columns."""
        return [
            [index, list(callback.writer.fieldnames)]
            for index, callback in enumerate(self._callbacks)
            if isinstance(getattr(callback, "writer", None), csv.DictWriter)
        ]

    def _places(self) -> list[_Place]:
        seen: set[int] = set()
        places: dict[str, _Place] = {}
        for key, owner in self._owners():
            found = [_Place(f"{key}.{name}", owner, name) for name in _names_of(owner)]
            for function in self._functions(owner):
                found += self._remembered(key, function, seen)
            places.update((place.key, place) for place in found)
        return list(places.values())

    def _owners(self) -> Iterator[tuple[str, Any]]:
        for index, callback in enumerate(self._callbacks):
            yield from self._with_inner(f"{index} {type(callback).__name__}", callback)
        for index, layer in enumerate(self._model._flatten_layers()):
            if self._is_own_class(type(layer)):
                yield f"layer {index} {type(layer).__name__}", layer

    def _with_inner(self, key: str, owner: Any, depth: int = 0) -> Iterator[tuple[str, Any]]:
        """An object, and those of the script's own classes that it holds."""
        yield key, owner
        for name in _names_of(owner) if depth < _MOST_DEPTH else ():
            value = vars(owner)[name]
            if hasattr(value, "__dict__") and self._is_own_class(type(value)):
                yield from self._with_inner(f"{key}.{name}", value, depth + 1)

    def _new(self, key: str) -> _Place | None:
        """The place of an attribute that a callback has got only later."""
        owner, _, name = key.rpartition(".")
        found = dict(self._owners()).get(owner)
        return _Place(key, found, name) if found is not None else None

    def _functions(self, owner: Any) -> Iterator[types.FunctionType]:
        """The script's own functions among the methods and the attributes of an object."""
        own = filter(self._is_own_class, type(owner).__mro__)
        for names in (*map(vars, own), vars(owner)):
            for value in list(names.values()):
                function = getattr(value, "__func__", value)
                if self._is_own_function(function):
                    yield function

    def _remembered(
        self, key: str, function: types.FunctionType, seen: set[int]
    ) -> Iterator[_Place]:
        """What a function, and those that it calls, know from outside."""
        if id(function) in seen:
            return
        seen.add(id(function))
        code, names = function.__code__, function.__globals__
        key = f"{key} {function.__qualname__} {code.co_firstlineno}"
        cells = dict(zip(code.co_freevars, function.__closure__ or ()))  # noqa: B905
        places = [
            _Place(f"{key} {name}", cell, name) for name, cell in cells.items() if _is_filled(cell)
        ]
        places += [
            _Place(f"{names.get('__name__')} {name}", names, name)
            for name in sorted(_names_in(code) & set(names))
        ]
        for place in places:
            value = place.get()
            if self._is_own_function(value):
                yield from self._remembered(key, value, seen)
            elif not isinstance(value, (types.ModuleType, type)):
                yield place

    def _is_own_function(self, value: Any) -> bool:
        return isinstance(value, types.FunctionType) and bool(
            self._frames.relative(value.__code__.co_filename)
        )

    def _is_own_class(self, kind: type) -> bool:
        file = getattr(sys.modules.get(kind.__module__), "__file__", None)
        return bool(self._frames.relative(file or ""))


def _names_of(owner: Any) -> list[str]:
    """An object's attributes that may be state."""
    is_layer = hasattr(owner, "_flatten_layers")  # Keras' own attributes of it are no state
    return [
        name
        for name in sorted(getattr(owner, "__dict__", ()))
        if name not in _NOT_STATE and not (is_layer and name.startswith("_"))
    ]


def _names_in(code: types.CodeType) -> set[str]:
    inner = [one for one in code.co_consts if isinstance(one, types.CodeType)]
    return set(code.co_names).union(*map(_names_in, inner))


def _is_filled(cell: types.CellType) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:
        return False


def _open_table(callback: Any, names: list[str]) -> None:
    """Lets a CSVLogger go on with its file where its header is already in it."""

    class Dialect(csv.excel):
        delimiter = callback.sep

    callback.writer = csv.DictWriter(callback.csv_file, names, dialect=Dialect)


class _Marks(Packing):
    """Packs a value only to see whether it is still the same."""

    def __init__(self) -> None:
        super().__init__()
        self.large: list[_Same] = []

    def array(self, value: Any) -> list[Any]:
        if value.nbytes < _LARGE:
            return super().array(value)
        self.large.append(_Same(value))
        return []


class _Same:
    """Equal to another one of the same object, as long as that lives."""

    def __init__(self, value: Any) -> None:
        self._reference = weakref.ref(value)

    def __eq__(self, other: object) -> bool:
        value = self._reference()
        return isinstance(other, _Same) and value is not None and value is other._reference()

    __hash__ = None  # type: ignore[assignment]


def _mark(place: _Place) -> Any:
    """What is equal as long as a value is; None where it is no state."""
    marks = _Marks()
    try:
        digest = hashlib.blake2b(json.dumps(marks.put(place.get())).encode())
    except Exception:  # whatever it is, it cannot be kept
        return None
    for blob in marks.blobs.values():
        digest.update(blob)
    return digest.digest(), marks.large
