"""What a literal reaches: hyperparameters only, or something that must not change."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from pushtrain.code import Call, Expr, External, Local
from pushtrain.knobs.catalog import Tunable, catalog
from pushtrain.knobs.parameters import takes
from pushtrain.knobs.uses import Uses


@dataclass(frozen=True, slots=True)
class Reach:
    """A hyperparameter that a literal is given to, and the call that takes it."""

    tunable: Tunable
    call: Call


Reaches = tuple[Reach, ...] | None
"""What a use reaches; None: something else than hyperparameters, so hands off."""

_NOTHING: tuple[Reach, ...] = ()
_COLLECTION = ast.Tuple | ast.List | ast.Set | ast.Dict
_LOOKED_AT = frozenset({"items", "values", "keys"})
_WALKED = frozenset(
    f"builtins.{name}" for name in ("enumerate", "zip", "reversed", "list", "tuple", "iter")
)
_DEEPEST = 8


class Reaching:
    """Judges the uses of literals."""

    def __init__(self, uses: Uses) -> None:
        self._uses = uses

    def of(self, literal: Expr) -> Reaches:
        """The hyperparameters that `literal` reaches by all its uses."""
        return self._joined([self._scalar(use) for use in self._uses.of(literal)])

    def functions(self, call: Call) -> tuple[str, ...]:
        """The canonical names of what is called outside the program; "?.fit" if not known."""
        values = self._uses.program.values(call.function)
        names = tuple(value.name for value in values if isinstance(value, External))
        return names if values else (f"?.{call.method}",)

    # --- one use of a number, a bool or a string -----------------------------------------------

    def _scalar(self, use: Expr) -> Reaches:
        counted = False
        for node, parent in self._uses.around(use.node):
            if isinstance(parent, ast.Call | ast.keyword):
                reaches = self._given(_Argument.of(self._uses, use, node, parent))
                return None if counted and reaches else reaches
            if _is_offset(parent, node):
                counted = True
            elif isinstance(parent, _COLLECTION) and not counted:
                return self._contained(use.at(parent), _key(parent, node))
            elif not _chooses(parent, node):
                is_harmless = _is_text(parent) or (_is_alias(parent, node) and not counted)
                return _NOTHING if is_harmless else None
        return None

    def _given(self, argument: _Argument | None, *, whole: bool = False) -> Reaches:
        """What an argument of a call reaches; `whole`: it is a collection, given as it is."""
        if argument is None:
            return None
        call = argument.call
        values = self._uses.program.values(call.function)
        if not values:
            return self._outside(f"?.{call.method}", argument, whole=whole)
        found: list[Reaches] = []
        for value in values:
            if isinstance(value, External):
                found.append(self._outside(value.name, argument, whole=whole))
            elif isinstance(value, Local) and takes(value.scope, call, argument.node):
                found.append(_NOTHING)  # its parameter is followed
            else:
                found.append(None)
        return self._joined(found)

    def _outside(self, function: str, argument: _Argument, *, whole: bool) -> Reaches:
        """What an argument of something outside the program reaches."""
        call, name = argument.call, argument.name
        for tunable in catalog().parameters(function):
            facts = tunable.facts
            is_meant = name in tunable.keywords if name else argument.position == facts.at
            if is_meant and (facts.each or facts.square or not whole):
                return (Reach(tunable, call),)
        if whole and function in _WALKED:
            return _NOTHING
        if call.method == "add_argument" and call.argument("choices") is not None:
            return None
        return _NOTHING if catalog().is_harmless(function, name) else None

    # --- one use of the collection around it ---------------------------------------------------

    def _contained(self, collection: Expr, key: str | None, depth: int = 0) -> Reaches:
        """What an item of `collection` reaches by the uses of the collection as a whole."""
        if depth > _DEEPEST:
            return None
        uses = self._uses.of(collection)
        return self._joined([self._collection(use, key, depth) for use in uses])

    def _collection(self, use: Expr, key: str | None, depth: int) -> Reaches:
        node: ast.AST = use.node
        parent = self._uses.parent(node)
        if isinstance(parent, _COLLECTION):
            return self._contained(use.at(parent), None, depth + 1)
        if isinstance(parent, ast.keyword) and parent.arg is None:
            call = self._uses.parent(parent)
            if key is None or not isinstance(call, ast.Call):
                return None
            return self._given(_Argument(Call(use.scope, call), parent, key, None))
        if isinstance(parent, ast.Call | ast.keyword):
            return self._given(_Argument.of(self._uses, use, node, parent), whole=True)
        is_harmless = parent is None or _is_alias(parent, node) or _is_walked(parent, node)
        return _NOTHING if is_harmless else None

    @staticmethod
    def _joined(parts: Sequence[Reaches]) -> Reaches:
        found: list[Reach] = []
        for part in parts:
            if part is None:
                return None
            found.extend(part)
        return tuple(found)


@dataclass(frozen=True, slots=True)
class _Argument:
    """An argument of a call: its node, and its name or position."""

    call: Call
    node: ast.AST
    name: str | None
    position: int | None

    @classmethod
    def of(
        cls, uses: Uses, use: Expr, node: ast.AST, parent: ast.Call | ast.keyword
    ) -> _Argument | None:
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


def _chooses(parent: ast.AST, node: ast.AST) -> bool:
    """Whether `parent` has the value of `node`, or another one."""
    if isinstance(parent, ast.IfExp):
        return parent.test is not node
    return isinstance(parent, ast.BoolOp | ast.NamedExpr)


def _is_walked(parent: ast.AST, node: ast.AST) -> bool:
    """Whether a collection is gone through or looked into, so that its items are followed."""
    if isinstance(parent, ast.For | ast.comprehension):
        return parent.iter is node
    if isinstance(parent, ast.Subscript):
        return parent.value is node and not isinstance(parent.slice, ast.Slice)
    if isinstance(parent, ast.Attribute):
        return parent.attr in _LOOKED_AT
    return isinstance(parent, ast.FormattedValue)


def _is_alias(parent: ast.AST, node: ast.AST) -> bool:
    """Whether the value only gets another name, whose uses are followed."""
    if isinstance(parent, ast.Assign | ast.AnnAssign | ast.Return | ast.Yield):
        return parent.value is node
    return isinstance(parent, ast.Expr | ast.arguments | ast.Lambda)


def _is_offset(parent: ast.AST, node: ast.AST) -> bool:
    """Whether `parent` is `node + 1` or the like, as in `range(1, epochs + 1)`."""
    if not isinstance(parent, ast.BinOp) or not isinstance(parent.op, ast.Add | ast.Sub):
        return False
    other = parent.right if parent.left is node else parent.left
    return isinstance(other, ast.Constant)


def _is_text(parent: ast.AST) -> bool:
    """Whether `parent` is `f"{value}"` or `"%d" % value`."""
    return isinstance(parent, ast.FormattedValue) or (
        isinstance(parent, ast.BinOp)
        and isinstance(parent.op, ast.Mod)
        and isinstance(parent.left, ast.Constant)
        and isinstance(parent.left.value, str)
    )


def _key(collection: ast.AST, item: ast.AST) -> str | None:
    """The key of an item in a dictionary display."""
    if isinstance(collection, ast.Dict):
        for key, value in zip(collection.keys, collection.values, strict=True):
            if value is item and isinstance(key, ast.Constant):
                return str(key.value)
    return None
