"""What every framework's rules look at: the calls of a program that can run, resolved once."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from pushtrain.code import (
    Binding,
    BindingKind,
    Call,
    Expr,
    External,
    Literal,
    Local,
    Made,
    Object,
    Program,
    Scope,
)
from pushtrain.entities import Evidence, Task

_DEEPEST = 6


@dataclass(frozen=True, slots=True)
class Use:
    """A call that can run, with the canonical names of what it may call (none: unknown)."""

    call: Call
    names: tuple[str, ...]

    def evidence(self, what: str) -> Evidence:
        """The place of the call as evidence for `what`."""
        return Evidence(self.call.module.path, self.call.line, what)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one framework's rules say of a program that it trains.

    Attributes:
        framework: the framework's name.
        family: the kind of model.
        task: the kind of question, as far as it can be told.
        evidence: why, the training call first.
        rank: which finding wins where several frameworks train; the lowest.
        backend: for Keras, what it runs on.
        needs: distributions that the framework itself needs.
        warnings: what the user should know.
    """

    framework: str
    family: str
    task: Task
    evidence: tuple[Evidence, ...]
    rank: int
    backend: str | None = None
    needs: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Facts:
    """A program's calls that can run, and questions about them that several rules ask."""

    def __init__(self, program: Program, reached: frozenset[Scope]) -> None:
        """Facts of the scopes `reached`, in most cases those that can run."""
        self.program = program
        self.reached = reached

    @cached_property
    def uses(self) -> tuple[Use, ...]:
        """The calls that can run, module by module, in the order of their lines."""
        found = [
            Use(call, self.program.names(call.function))
            for call in self.program.calls()
            if call.scope in self.reached
        ]
        order = {module: number for number, module in enumerate(self.program.modules)}
        return tuple(sorted(found, key=lambda use: (order[use.call.module], use.call.line)))

    @cached_property
    def mentions(self) -> frozenset[str]:
        """All names and attributes that code that can run uses."""
        return frozenset().union(*(scope.mentions for scope in self.reached))

    @cached_property
    def imports(self) -> tuple[tuple[str, Binding], ...]:
        """The imports that can run, each with the whole dotted name, in the order of the code."""
        return tuple(
            (_whole_name(binding), binding)
            for scope in self.program.scopes()
            if scope in self.reached
            for bindings in scope.bindings.values()
            for binding in bindings
            if binding.kind is BindingKind.IMPORT
        )

    @cached_property
    def packages(self) -> frozenset[str]:
        """The top-level names of the packages that the program calls or inherits from."""
        called = {name.partition(".")[0] for use in self.uses for name in use.names}
        inherited = {
            name.partition(".")[0]
            for scope in self.reached
            if scope.is_class
            for name in self.inherited(scope)
        }
        return frozenset(called | inherited)

    def calls(self, is_wanted: Callable[[str], object]) -> Iterator[tuple[Use, str]]:
        """The uses of which one name is wanted, with that name."""
        for use in self.uses:
            for name in use.names:
                if is_wanted(name):
                    yield use, name
                    break

    def first(self, is_wanted: Callable[[str], object]) -> tuple[Use, str] | None:
        """The first use of which one name is wanted."""
        return next(self.calls(is_wanted), None)

    def made(self, expr: Expr | None) -> tuple[str, ...]:
        """The canonical names of what `expr` may be an instance of, or itself (a class handed
        over), those within lists, dictionaries and wrappers' arguments included."""
        return tuple(dict.fromkeys(self._made(expr, 0))) if expr is not None else ()

    def _made(self, expr: Expr, depth: int) -> Iterator[str]:
        if depth > _DEEPEST:
            return
        for value in self.program.values(expr):
            if isinstance(value, External):
                yield value.name
            elif isinstance(value, Made):
                yield value.name
                yield from self._within(value.by, depth)
            elif isinstance(value, Literal):
                for child in self.program.items(value.expr):
                    yield from self._made(child, depth + 1)
            elif isinstance(value, Local | Object) and value.scope.is_class:
                yield from self.inherited(value.scope)

    def _within(self, expr: Expr, depth: int) -> Iterator[str]:
        """What a call was given: the estimators inside a pipeline or a search."""
        node = expr.node
        for child in _call_parts(expr):
            yield from self._made(child, depth + 1)
        function = getattr(node, "func", None)
        if function is not None and hasattr(function, "value"):
            yield from self._made(expr.at(function.value), depth + 1)  # Pipeline(...).fit(...)

    def inherited(self, scope: Scope) -> Iterator[str]:
        """The external classes that a local class inherits from, directly or not."""
        waiting, seen = [scope], {scope}
        while waiting:
            for base in self.program.bases(waiting.pop()):
                if isinstance(base, External):
                    yield base.name
                elif isinstance(base, Local) and base.scope not in seen:
                    seen.add(base.scope)
                    waiting.append(base.scope)


def _whole_name(binding: Binding) -> str:
    """The dotted name of an import; `import a.b` binds `a` and still imports `a.b`."""
    if isinstance(binding.node, ast.Import):
        for alias in binding.node.names:
            if binding.target in {alias.name, alias.name.partition(".")[0]}:
                return alias.name
    return binding.target


def _call_parts(expr: Expr) -> Iterable[Expr]:
    node = expr.node
    arguments = [*getattr(node, "args", ()), *(k.value for k in getattr(node, "keywords", ()))]
    return [expr.at(argument) for argument in arguments]
