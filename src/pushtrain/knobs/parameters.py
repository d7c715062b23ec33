"""Arguments of calls, and the parameters of the program that they become."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from pushtrain.code import BindingKind, Call, Expr, Scope
from pushtrain.code.fields import fields, given
from pushtrain.knobs.catalog import Tunable
from pushtrain.knobs.uses import Uses


@dataclass(frozen=True, slots=True)
class Reach:
    """A hyperparameter that a literal is given to, and the call that takes it.

    Attributes:
        tunable: the hyperparameter.
        call: what takes it.
        is_computed: whether it gets something computed from the literal (`filters * 2`).
    """

    tunable: Tunable
    call: Call
    is_computed: bool = False


Reaches = tuple[Reach, ...] | None
"""What a use reaches; None: something else than hyperparameters, so hands off."""

NOTHING: tuple[Reach, ...] = ()
"""What a harmless use reaches."""


def joined(parts: Iterable[Reaches]) -> Reaches:
    """What several uses reach together."""
    found: list[Reach] = []
    for part in parts:
        if part is None:
            return None
        found.extend(part)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a call: its node, and its name or position."""

    call: Call
    node: ast.AST
    name: str | None
    position: int | None

    @classmethod
    def of(
        cls, uses: Uses, use: Expr, node: ast.AST, parent: ast.Call | ast.keyword
    ) -> Argument | None:
        """The argument that `node` is in `parent`; None where neither name nor place is known."""
        if isinstance(parent, ast.keyword):
            call = uses.parent(parent)
            if not isinstance(call, ast.Call) or parent.arg is None:
                return None  # `**`, or an argument of a class statement
            return cls(Call(use.scope, call), node, parent.arg, None)
        for position, argument in enumerate(parent.args):
            if argument is node:
                return cls(Call(use.scope, parent), node, None, position)
            if isinstance(argument, ast.Starred):
                break
        return None

    def is_meant(self, tunable: Tunable) -> bool:
        """Whether it is the argument that a hyperparameter is given as."""
        if self.name:
            return self.name in tunable.keywords
        return self.position is not None and self.position == tunable.facts.at


def takes(function: Scope, call: Call, argument: ast.AST) -> bool:
    """Whether `argument` of `call` becomes a named parameter of `function` (or, for a class, of
    its `__init__` or a field of its body); what ends in `*args` or `**kwargs` is lost."""
    if not function.is_class:
        return _has_parameter(function, call, argument, skipped=function.owner is not None)
    for inner in function.inner.values():
        if inner.name == "__init__":
            return _has_parameter(inner, call, argument, skipped=True)
    in_fields = (given(function, name, call) for name in fields(function))
    return any(expr is not None and expr.node is argument for expr in in_fields)


def _has_parameter(function: Scope, call: Call, argument: ast.AST, *, skipped: bool) -> bool:
    arguments = getattr(function.node, "args", None)
    if not isinstance(arguments, ast.arguments):
        return False
    for keyword in call.node.keywords:
        if argument in {keyword, keyword.value}:
            bindings = function.bindings.get(keyword.arg or "", ())
            return any(binding.kind is BindingKind.PARAMETER for binding in bindings)
    if argument not in call.node.args or any(isinstance(a, ast.Starred) for a in call.node.args):
        return False
    position = call.node.args.index(argument) + skipped
    return position < len(arguments.posonlyargs) + len(arguments.args)
