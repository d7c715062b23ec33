"""The layers of a Sequential model in their order, whether listed or added."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pushtrain.code import Call, Expr, External, Literal, Made
from pushtrain.knobs.catalog import catalog
from pushtrain.knobs.uses import Uses

SEQUENTIAL = "keras.Sequential"
_LAYER = "keras.layers."
_BRANCHES = (
    ast.If,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.Try,
    ast.TryStar,
    ast.match_case,
    ast.ExceptHandler,
)
_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_LEAVES = (ast.Return, ast.Raise, ast.Continue, ast.Break)
_DEEPEST = 4


@dataclass(frozen=True, slots=True)
class Guard:
    """A part of a branching statement that a layer stands in, and that may not run."""

    statement: ast.AST
    arm: str

    @property
    def is_loop(self) -> bool:
        """Whether it may run more than once."""
        return isinstance(self.statement, _LOOPS) and self.arm == "body"

    @property
    def leaves(self) -> bool:
        """Whether what follows the statement does not run after this part."""
        body = getattr(self.statement, self.arm)
        return isinstance(body, list) and bool(body) and isinstance(body[-1], _LEAVES)


@dataclass(frozen=True, slots=True)
class Link:
    """A layer in its chain.

    Attributes:
        layer: the expression that stands for it, in the list or in `add(...)`.
        kind: its class name ("Dense"; of a wrapper, that of the layer inside); "" if not known.
        guards: the branches it stands in, innermost first.
        statement: the `model.add(...)` that adds it; None in a list.
    """

    layer: Expr
    kind: str
    guards: tuple[Guard, ...]
    statement: ast.Call | None

    @property
    def call(self) -> ast.Call | None:
        """The call that makes the layer right here."""
        return self.layer.node if isinstance(self.layer.node, ast.Call) else None


def follows(links: Sequence[Link], index: int) -> bool:
    """Whether a layer that takes any width is sure to come after the one at `index`, with
    nothing before it that would mind."""
    layers, me = catalog().layers, links[index]
    repeated = {guard for guard in me.guards if guard.is_loop}
    for link in links:
        if repeated & set(link.guards) and link.kind not in layers.absorbs | layers.passes:
            return False
    for link in links[index + 1 :]:
        if _excludes(me, link):
            continue
        if link.kind not in layers.absorbs | layers.passes:
            return False
        if link.kind in layers.absorbs and set(link.guards) <= set(me.guards):
            return True
    return False


def _excludes(me: Link, other: Link) -> bool:
    """Whether the two never stand in one model."""
    arms = {guard.statement: guard.arm for guard in other.guards}
    return any(
        arms.get(guard.statement, guard.arm) != guard.arm
        or (guard.leaves and guard.statement not in arms)
        for guard in me.guards
    )


class Chains:
    """The Sequential models of a program."""

    def __init__(self, uses: Uses) -> None:
        self._uses = uses
        self._added: dict[ast.AST, list[Call]] = {}
        self._changed: set[ast.AST] = set()
        self._links: dict[ast.AST, tuple[Link, ...]] = {}
        self.models: list[Expr] = []
        """The calls that make them, in source order."""
        for call in uses.calls:
            self._note(call)

    def _note(self, call: Call) -> None:
        program = self._uses.program
        if SEQUENTIAL in program.names(call.function):
            self.models.append(call.expr)
        if call.receiver is None or call.method not in {"add", "pop"}:
            return
        for value in program.values(call.receiver):
            if isinstance(value, Made) and value.name == SEQUENTIAL:
                if call.method == "add":
                    self._added.setdefault(value.by.node, []).append(call)
                else:
                    self._changed.add(value.by.node)

    def of(self, model: Expr) -> tuple[Link, ...]:
        """The layers of the model that the call `model` makes; empty when their order is not
        known."""
        known = self._links.get(model.node)
        if known is None:
            known = self._links[model.node] = tuple(self._read(model))
        return known

    def _read(self, model: Expr) -> Iterator[Link]:
        assert isinstance(model.node, ast.Call)
        added = self._added.get(model.node, [])
        if model.node in self._changed or len({call.scope for call in added}) > 1:
            return
        given = Call(model.scope, model.node).argument("layers", 0)
        if given is not None:
            listed = self.listed(given)
            if listed is None:
                return
            for element in listed:
                yield Link(element, self.kind(element), self.guards(element.node), None)
        for call in sorted(added, key=lambda call: (call.line, call.node.col_offset)):
            layer = call.argument("layer", 0)
            if layer is not None:
                yield Link(layer, self.kind(layer), self.guards(call.node), call.node)

    def listed(self, given: Expr) -> list[Expr] | None:
        """The elements of the one list that `given` stands for; None when it may change."""
        lists = self._uses.program.literals(given)
        if len(lists) != 1 or not isinstance(lists[0].node, ast.List | ast.Tuple):
            return None
        for use in self._uses.of(lists[0]):
            if isinstance(self._uses.parent(use.node), ast.Attribute | ast.BinOp | ast.AugAssign):
                return None  # layers.append(...), layers + [...]
        return [lists[0].at(element) for element in lists[0].node.elts]

    def kind(self, layer: Expr, depth: int = 0) -> str:
        """The class name of the Keras layer that an expression stands for, or ""."""
        values = self._uses.program.values(layer)
        kinds = {self.kind_of(value, depth) for value in values}
        return kinds.pop() if len(kinds) == 1 else ""

    def kind_of(self, value: object, depth: int = 0) -> str:
        """The class name of a Keras layer, of the layer inside where it is a wrapper, or ""."""
        if not isinstance(value, Made) or not value.name.startswith(_LAYER):
            return ""
        name = value.name.removeprefix(_LAYER)
        if name in catalog().layers.wrappers and depth < _DEEPEST:
            assert isinstance(value.by.node, ast.Call)
            inner = Call(value.by.scope, value.by.node).argument("layer", 0)
            return self.kind(inner, depth + 1) if inner is not None else ""
        return name

    def guards(self, node: ast.AST) -> tuple[Guard, ...]:
        """The branches around a node, within its own function."""
        found = []
        for inner, outer in self._uses.around(node):
            if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                break
            if isinstance(outer, _BRANCHES):
                found.append(Guard(outer, _arm(outer, inner)))
        return tuple(found)

    def is_sequential(self, function: Expr) -> bool:
        """Whether a called thing can only be the class of Sequential models."""
        return self._uses.program.values(function) == (External(SEQUENTIAL),)

    def models_of(self, receiver: Expr) -> tuple[Expr, ...] | None:
        """The Sequential models that an expression may stand for; None if it may be another
        thing."""
        found = []
        for value in self._uses.program.values(receiver):
            if not isinstance(value, Made) or value.name != SEQUENTIAL:
                return None
            found.append(value.by)
        return tuple(found) or None

    def holders(self, element: Expr) -> tuple[Expr, ...] | None:
        """The Sequential models whose list `element` stands in; None if the list has another
        use."""
        around = self._uses.parent(element.node)
        if not isinstance(around, ast.List | ast.Tuple):
            return None
        found = []
        for use in self._uses.of(Literal(element.at(around)).expr):
            parent = self._uses.parent(use.node)
            if isinstance(parent, ast.Assign | ast.AnnAssign | ast.Return):
                continue
            call = self._uses.parent(parent) if isinstance(parent, ast.keyword) else parent
            if not isinstance(call, ast.Call) or not self.is_sequential(use.at(call.func)):
                return None
            found.append(use.at(call))
        return tuple(found) or None


def _arm(statement: ast.AST, inner: ast.AST) -> str:
    """The field of a statement that `inner` stands in."""
    for name, value in ast.iter_fields(statement):
        if value is inner or (isinstance(value, list) and inner in value):
            return name
    return ""
