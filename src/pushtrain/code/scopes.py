"""What a module binds where: scopes, bindings and calls, from one walk over its syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto

from pushtrain.code.files import Text


class BindingKind(Enum):
    """How a name gets its value."""

    ASSIGN = auto()
    """From `value`, or from a part of it along `path`."""
    ELEMENT = auto()
    """From each element of `value`: a loop or a comprehension."""
    IMPORT = auto()
    """From another module: `target` is its dotted name, or that of the thing in it."""
    FUNCTION = auto()
    """A `def` in this program."""
    CLASS = auto()
    """A `class` in this program."""
    PARAMETER = auto()
    """From the callers; `value` is the default."""
    OPAQUE = auto()
    """From something that is not followed (`x += 1`, `except E as x`)."""


@dataclass(frozen=True, slots=True, eq=False)
class Binding:
    """One place where a scope binds a name.

    Attributes:
        kind: how the name gets its value.
        home: the scope that `value` is to be read in.
        node: the statement or parameter that binds.
        value: where the value comes from.
        path: the position within `value` that is meant (`a, (b, c) = value`: b is (1, 0)).
        target: for IMPORT, what is imported, dotted; relative ones start with dots.
        scope: for FUNCTION and CLASS, their own scope.
        branch: lines of the innermost branch that the binding stands in; None: always runs.
        loop: lines of the outermost loop around it.
        guard: the `try` whose body or handlers it stands in.
    """

    kind: BindingKind
    home: Scope
    node: ast.AST
    value: ast.expr | None = None
    path: tuple[int, ...] = ()
    target: str = ""
    scope: Scope | None = None
    branch: tuple[int, int] | None = None
    loop: tuple[int, int] | None = None
    guard: ast.Try | ast.TryStar | None = None


@dataclass(slots=True, eq=False)
class Scope:
    """A module, class, function, lambda or comprehension, with what it binds.

    Attributes:
        module: where it stands.
        node: its syntax tree.
        parent: the scope around it.
        bindings: name -> its bindings, in source order; "*" -> the star imports.
        attributes: (base name, attribute) -> bindings by assignment to `base.attribute`; in a
            class, the base is empty and stands for `self`.
        inner: the scopes directly inside, by their nodes.
        returns: what a function gives back (returned or yielded).
        mentions: names and attributes that its own code uses.
        calls: the calls in its own code.
    """

    module: Module
    node: ast.AST
    parent: Scope | None
    bindings: dict[str, list[Binding]] = field(default_factory=dict)
    attributes: dict[tuple[str, str], list[Binding]] = field(default_factory=dict)
    foreign: set[str] = field(default_factory=set)
    inner: dict[ast.AST, Scope] = field(default_factory=dict)
    returns: list[ast.expr] = field(default_factory=list)
    mentions: set[str] = field(default_factory=set)
    calls: list[ast.Call] = field(default_factory=list)

    @property
    def stars(self) -> list[str]:
        """The modules whose names are all imported here."""
        return [binding.target for binding in self.bindings.get("*", ())]

    @property
    def name(self) -> str:
        """The name of a function or class, else an empty one."""
        return getattr(self.node, "name", "")

    @property
    def is_class(self) -> bool:
        """Whether it is the body of a class."""
        return isinstance(self.node, ast.ClassDef)

    @property
    def is_function(self) -> bool:
        """Whether it is a `def` or a lambda."""
        return isinstance(self.node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)

    @property
    def owner(self) -> Scope | None:
        """The class that a method belongs to."""
        return self.parent if self.is_function and self.parent and self.parent.is_class else None

    @property
    def receiver(self) -> str | None:
        """The name of a method's first parameter (`self`)."""
        if self.owner is None or not isinstance(self.node, ast.FunctionDef | ast.AsyncFunctionDef):
            return None
        arguments = [*self.node.args.posonlyargs, *self.node.args.args]
        return arguments[0].arg if arguments else None

    def everything(self) -> Iterator[Scope]:
        """This scope and all scopes inside it, outer ones first."""
        waiting = [self]
        while waiting:
            scope = waiting.pop()
            yield scope
            waiting.extend(reversed(scope.inner.values()))


@dataclass(slots=True, eq=False)
class Module:
    """A file of the program: its path, its dotted name, its text, and its outermost scope.

    Attributes:
        file: the file, read.
        name: the dotted name under which the program imports it.
        is_package: whether it is an `__init__.py`.
        is_entry: whether it is the script that runs.
        scope: its outermost scope; None where nothing of it could be read.
    """

    file: Text
    name: str
    is_package: bool
    is_entry: bool
    scope: Scope | None = None

    @property
    def path(self) -> str:
        """POSIX path relative to the tree's root."""
        return self.file.path


@dataclass(frozen=True, slots=True)
class Expr:
    """An expression, and the scope whose names it uses."""

    scope: Scope
    node: ast.expr

    @property
    def module(self) -> Module:
        """The module that it stands in."""
        return self.scope.module

    @property
    def line(self) -> int:
        """Its 1-based line."""
        return self.node.lineno

    def at(self, node: ast.expr) -> Expr:
        """Another expression of the same scope."""
        return Expr(self.scope, node)


@dataclass(frozen=True, slots=True)
class Call:
    """One call in the program."""

    scope: Scope
    node: ast.Call

    @property
    def module(self) -> Module:
        """The module that it stands in."""
        return self.scope.module

    @property
    def line(self) -> int:
        """Its 1-based line."""
        return self.node.lineno

    @property
    def expr(self) -> Expr:
        """The call as an expression: what it gives back."""
        return Expr(self.scope, self.node)

    @property
    def function(self) -> Expr:
        """What is called."""
        return Expr(self.scope, self.node.func)

    @property
    def receiver(self) -> Expr | None:
        """For `x.method()`, the `x`."""
        func = self.node.func
        return Expr(self.scope, func.value) if isinstance(func, ast.Attribute) else None

    @property
    def method(self) -> str:
        """The last part of the called name: `fit` in `a.b.fit()`."""
        func = self.node.func
        if isinstance(func, ast.Attribute):
            return func.attr
        return func.id if isinstance(func, ast.Name) else ""

    def argument(self, name: str, position: int | None = None) -> Expr | None:
        """The argument given as keyword `name`, or at `position` when no star precedes it."""
        for keyword in self.node.keywords:
            if keyword.arg == name:
                return Expr(self.scope, keyword.value)
        arguments = self.node.args
        if position is None or position >= len(arguments):
            return None
        if any(isinstance(argument, ast.Starred) for argument in arguments[: position + 1]):
            return None
        return Expr(self.scope, arguments[position])
