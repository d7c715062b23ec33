"""What following an expression needs of the program around it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from pushtrain.code.scopes import Call, Expr, Module


class Surroundings(Protocol):
    """What following needs of the program around an expression."""

    def find(self, target: str, origin: Module) -> Module | None:
        """The local module called `target`, as `origin` would import it."""

    def calls_named(self, name: str) -> Iterable[Call]:
        """The calls of anything whose last name is `name`."""

    def arguments(self, attribute: str) -> Iterable[Expr]:
        """The defaults of the command line argument that is read as `args.<attribute>`."""
