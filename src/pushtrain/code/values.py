"""What an expression may stand for, as far as the code tells without running it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from pushtrain.code.scopes import Expr, Module, Scope


@dataclass(frozen=True, slots=True)
class External:
    """A thing of another package, by its canonical dotted name ("keras.layers.Dense")."""

    name: str


@dataclass(frozen=True, slots=True)
class Made:
    """What calling an external thing gave: an instance of `name`, made by the call `by`."""

    name: str
    by: Expr


@dataclass(frozen=True, slots=True)
class Local:
    """A function or class of this program, by its scope."""

    scope: Scope


@dataclass(frozen=True, slots=True)
class Object:
    """An instance of a class of this program, made by the call `by`."""

    scope: Scope
    by: Expr


@dataclass(frozen=True, slots=True)
class ModuleValue:
    """A module of this program."""

    module: Module


@dataclass(frozen=True, slots=True)
class Literal:
    """A literal as it stands in the code: a constant, or a list, tuple, set or dictionary."""

    expr: Expr


Value: TypeAlias = External | Made | Local | Object | ModuleValue | Literal
