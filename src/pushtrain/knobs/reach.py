"""What a literal reaches: hyperparameters only, or something that must not change."""

from __future__ import annotations

import ast

from pushtrain.code import Call, Expr, External, Local
from pushtrain.knobs.catalog import catalog
from pushtrain.knobs.computed import Computed, chooses, is_text
from pushtrain.knobs.parameters import NOTHING, Argument, Reach, Reaches, joined, takes
from pushtrain.knobs.uses import Uses

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
        self._computed = Computed(uses)

    def of(self, literal: Expr) -> Reaches:
        """The hyperparameters that `literal` reaches by all its uses."""
        return joined([self._scalar(use) for use in self._uses.of(literal)])

    def functions(self, call: Call) -> tuple[str, ...]:
        """The canonical names of what is called outside the program; "?.fit" if not known."""
        values = self._uses.program.values(call.function)
        names = tuple(value.name for value in values if isinstance(value, External))
        return names if values else (f"?.{call.method}",)

    # --- one use of a number, a bool or a string -----------------------------------------------

    def _scalar(self, use: Expr) -> Reaches:
        for node, parent in self._uses.around(use.node):
            if isinstance(parent, ast.Call | ast.keyword):
                argument = Argument.of(self._uses, use, node, parent)
                if argument is not None and argument.name and self._makes_dict(argument.call):
                    return self._contained(argument.call.expr, argument.name)
                return self._given(argument)
            if isinstance(parent, _COLLECTION):
                return self._contained(use.at(parent), _key(parent, node))
            if isinstance(parent, ast.BinOp):
                return self._computed.of(use.at(parent))
            if not chooses(parent, node):
                return NOTHING if is_text(parent) or _is_alias(parent, node) else None
        return None

    def _makes_dict(self, call: Call) -> bool:
        return self._uses.program.values(call.function) == (External("builtins.dict"),)

    def _given(self, argument: Argument | None, *, whole: bool = False) -> Reaches:
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
                found.append(NOTHING)  # its parameter is followed
            else:
                found.append(None)
        return joined(found)

    def _outside(self, function: str, argument: Argument, *, whole: bool) -> Reaches:
        """What an argument of something outside the program reaches."""
        call, name = argument.call, argument.name
        for tunable in catalog().parameters(function):
            takes_whole = tunable.facts.each or tunable.facts.square
            if argument.is_meant(tunable) and (takes_whole or not whole):
                return (Reach(tunable, call),)
        if whole and function in _WALKED:
            return NOTHING
        if call.method == "add_argument" and call.argument("choices") is not None:
            return None
        return NOTHING if catalog().is_harmless(function, name) else None

    # --- one use of the collection around it ---------------------------------------------------

    def _contained(self, collection: Expr, key: str | None, depth: int = 0) -> Reaches:
        """What an item of `collection` reaches by the uses of the collection as a whole."""
        if depth > _DEEPEST:
            return None
        uses = self._uses.of(collection)
        return joined([self._collection(use, key, depth) for use in uses])

    def _collection(self, use: Expr, key: str | None, depth: int) -> Reaches:
        node: ast.AST = use.node
        parent = self._uses.parent(node)
        if isinstance(parent, _COLLECTION):
            return self._contained(use.at(parent), None, depth + 1)
        if isinstance(parent, ast.keyword) and parent.arg is None:
            call = self._uses.parent(parent)
            if key is None or not isinstance(call, ast.Call):
                return None
            return self._given(Argument(Call(use.scope, call), parent, key, None))
        if isinstance(parent, ast.Call | ast.keyword):
            return self._given(Argument.of(self._uses, use, node, parent), whole=True)
        is_harmless = parent is None or _is_alias(parent, node) or _is_walked(parent, node)
        return NOTHING if is_harmless else None


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


def _key(collection: ast.AST, item: ast.AST) -> str | None:
    """The key of an item in a dictionary display."""
    if isinstance(collection, ast.Dict):
        for key, value in zip(collection.keys, collection.values, strict=True):
            if value is item and isinstance(key, ast.Constant):
                return str(key.value)
    return None
