"""A chain of layers: what stands after what, as far as branches let it be known."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from pushtrain.code import Expr
from pushtrain.knobs.catalog import catalog
from pushtrain.knobs.uses import Uses

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
        statement: the `model.add(...)` that adds it, or the `layers.append(...)`; None for an
            element of a list.
        is_repeated: whether its code runs more than once for one model.
    """

    layer: Expr
    kind: str
    guards: tuple[Guard, ...]
    statement: ast.Call | None
    is_repeated: bool = False

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


def guards(uses: Uses, node: ast.AST) -> tuple[Guard, ...]:
    """The branches around a node, within its own function."""
    found = []
    for inner, outer in uses.around(node):
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            break
        if isinstance(outer, _BRANCHES):
            found.append(Guard(outer, _arm(outer, inner)))
    return tuple(found)


def _arm(statement: ast.AST, inner: ast.AST) -> str:
    """The field of a statement that `inner` stands in."""
    for name, value in ast.iter_fields(statement):
        if value is inner or (isinstance(value, list) and inner in value):
            return name
    return ""
