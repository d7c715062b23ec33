"""Where the script's own code keeps what it remembers, starting from an object or a function.

An attribute, a variable that a function encloses, a variable of a module that a function uses, an
attribute of a class: as far as they belong to code in the script's tree.
"""

from __future__ import annotations

import sys
import types
from dataclasses import dataclass
from typing import Any

from pushtrain.worker.frames import Frames

_NOT_STATE = {"model", "_model", "params"}
"""Attributes of a callback that are what it works on."""


@dataclass(frozen=True)
class Place:
    """Where a value is kept.

    Attributes:
        key: the same in every attempt.
        owner: an object, the variables of a module, or a cell.
        name: of the value there.
        is_own: whether it is the script's code that keeps something there.
    """

    key: str
    owner: Any
    name: str
    is_own: bool = True

    def get(self) -> Any:
        """The value that is there now."""
        if isinstance(self.owner, types.CellType):
            return self.owner.cell_contents
        names = self.owner if isinstance(self.owner, dict) else vars(self.owner)
        return names[self.name]

    def set(self, value: Any) -> None:
        """Puts another value there."""
        if isinstance(self.owner, types.CellType):
            self.owner.cell_contents = value
        elif isinstance(self.owner, dict):
            self.owner[self.name] = value
        else:
            setattr(self.owner, self.name, value)


class Reach:
    """Finds places; used once.

    Attributes:
        places: what has been found, by key.
        owners: the objects that it has been found in, by the beginning of their places' keys.
    """

    def __init__(self, frames: Frames) -> None:
        self.places: dict[str, Place] = {}
        self.owners: dict[str, Any] = {}
        self._frames = frames
        self._seen: set[int] = set()

    def is_own(self, kind: type) -> bool:
        """Whether a class is the script's."""
        return self._is_own_module(sys.modules.get(kind.__module__))

    def follow(self, key: str, owner: Any) -> None:
        """Finds what an object keeps, whoever wrote its class, and what its code does."""
        if id(owner) in self._seen:
            return
        self._seen.add(id(owner))
        self.owners[key] = owner
        is_own = self.is_own(owner if isinstance(owner, type) else type(owner))
        for name in _names_of(owner):
            self._at(Place(f"{key}.{name}", owner, name, is_own))
        for kind in () if isinstance(owner, type) else type(owner).__mro__:
            if self.is_own(kind):
                self.follow(f"class {kind.__qualname__}", kind)

    def _at(self, place: Place) -> None:
        value = place.get()
        function = getattr(value, "__func__", value)
        if isinstance(function, types.FunctionType):
            self._through(place.key, function)
            if self._is_own_object(getattr(value, "__self__", None)):
                self.follow(f"{place.key} self", value.__self__)
        elif self._is_own_object(value):
            self.follow(place.key, value)
        elif not isinstance(value, (types.ModuleType, type)):
            self.places.setdefault(place.key, place)

    def _through(self, key: str, function: types.FunctionType) -> None:
        """Finds what a function of the script's uses from outside."""
        code = function.__code__
        if id(function) in self._seen or not self._frames.relative(code.co_filename):
            return
        self._seen.add(id(function))
        key = f"{key} {function.__qualname__} {code.co_firstlineno}"
        for name, cell in dict(zip(code.co_freevars, function.__closure__ or ())).items():  # noqa: B905
            if _is_filled(cell):
                self._at(Place(f"{key} {name}", cell, name))
        self._in(function.__globals__, _names_in(code))

    def _in(self, module: dict[str, Any], used: set[str]) -> None:
        for name in sorted(used & set(module)):
            value = module[name]
            if self._is_own_module(value) and vars(value) is not module:
                self._in(vars(value), used)
            else:
                self._at(Place(f"{module.get('__name__')} {name}", module, name))

    def _is_own_object(self, value: Any) -> bool:
        is_layer = hasattr(value, "_flatten_layers")  # whoever trains it keeps it
        return hasattr(value, "__dict__") and not is_layer and self.is_own(type(value))

    def _is_own_module(self, module: Any) -> bool:
        file = getattr(module, "__file__", None)
        return isinstance(module, types.ModuleType) and bool(self._frames.relative(file or ""))


def _names_of(owner: Any) -> list[str]:
    """An object's attributes that may be state."""
    hidden = "_" if hasattr(owner, "_flatten_layers") else "__"  # what is Keras' own in a layer
    names = sorted(getattr(owner, "__dict__", ()))
    return [name for name in names if name not in _NOT_STATE and not name.startswith(hidden)]


def _names_in(code: types.CodeType) -> set[str]:
    inner = [one for one in code.co_consts if isinstance(one, types.CodeType)]
    return set(code.co_names).union(*map(_names_in, inner))


def _is_filled(cell: types.CellType) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:
        return False
