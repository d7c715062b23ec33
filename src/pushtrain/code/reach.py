"""Which code of a program can run when its entry script does."""

from __future__ import annotations

import ast
from collections import defaultdict
from typing import TYPE_CHECKING

from pushtrain.code.scopes import Expr, Scope
from pushtrain.code.values import External, Local

if TYPE_CHECKING:
    from pushtrain.code.program import Program

_BY_STRING = frozenset({"globals", "locals", "eval", "exec", "fire", "getattr"})
"""Whoever uses one of these may call any function of the module by its name in a string."""

_INERT = (
    "builtins.",
    "functools.",
    "tensorflow.",
    "keras.",
    "torch.",
    "jax.",
    "contextlib.",
    "abc.",
    "typing.",
    "dataclasses.",
    "numba.",
    "numpy.",
    "atexit.",
)
"""Decorators of these packages wrap a function; others may well call it (click, hydra, flask)."""


def reached(program: Program) -> frozenset[Scope]:
    """The scopes that can run: a function runs only if code that runs mentions its name.

    Methods of a class that inherits from elsewhere count as called once the class is used.
    """
    named: dict[str, list[Scope]] = defaultdict(list)
    waiting: list[Scope] = []
    for module in program.modules:
        if module.scope is None:
            continue
        waiting.append(module.scope)
        for scope in module.scope.everything():
            if scope.name:
                named[scope.name].append(scope)
    found: set[Scope] = set()
    known: set[str] = set()
    in_use: set[Scope] = set()

    def mention(name: str) -> None:
        known.add(name)
        for scope in named.get(name, ()):
            if scope.is_class and scope not in in_use:
                in_use.add(scope)
                waiting.extend(_methods(program, scope, known))
            elif scope.is_function and (scope.owner is None or scope.owner in in_use):
                waiting.append(scope)

    while waiting:
        scope = waiting.pop()
        if scope in found:
            continue
        found.add(scope)
        for name in (scope.mentions | _imported_names(scope)) - known:
            mention(name)
        if scope.mentions & _BY_STRING and scope.module.scope is not None:
            waiting.extend(scope.module.scope.everything())
        waiting.extend(
            inner
            for inner in scope.inner.values()
            if not inner.name or inner.is_class or _is_handed_over(program, inner)
        )
    return frozenset(found)


def _methods(program: Program, scope: Scope, known: set[str]) -> list[Scope]:
    """The methods of a class in use that run: by name, by protocol, or by the class's base."""
    inherits = any(
        not isinstance(base, Local) and base != External("builtins.object")
        for base in _all_bases(program, scope)
    )
    return [
        method
        for method in scope.inner.values()
        if inherits or method.name in known or method.name.startswith("__")
    ]


def _all_bases(program: Program, scope: Scope, depth: int = 0) -> list[object]:
    bases: list[object] = list(program.bases(scope))
    if isinstance(scope.node, ast.ClassDef) and len(bases) < len(scope.node.bases):
        bases.append(None)  # one that could not be followed
    for base in list(bases):
        if isinstance(base, Local) and depth < 8 and base.scope is not scope:
            bases += _all_bases(program, base.scope, depth + 1)
    return bases


def _imported_names(scope: Scope) -> set[str]:
    """`from x import f as g`: a use of `g` means `f`."""
    return {
        alias.name
        for bindings in scope.bindings.values()
        for binding in bindings
        if isinstance(binding.node, ast.ImportFrom)
        for alias in binding.node.names
        if alias.asname and alias.asname in scope.mentions
    }


def _is_handed_over(program: Program, scope: Scope) -> bool:
    """Whether a decorator may call the function or register it for calling."""
    node = scope.node
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or scope.parent is None:
        return False
    return any(
        not name.startswith(_INERT)
        for decorator in node.decorator_list
        for name in program.names(
            Expr(scope.parent, decorator.func if isinstance(decorator, ast.Call) else decorator)
        )
    )
