"""The items of literal containers."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from pushtrain.code.scopes import Expr


def items(expr: Expr, index: object) -> Iterator[Expr]:
    """The items of a literal container: the one at `index`, or all when that is not known."""
    node = expr.node
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            fits = index is None or not isinstance(key, ast.Constant) or key.value == index
            if fits:
                yield expr.at(value)
    elif isinstance(node, ast.List | ast.Tuple | ast.Set):
        if isinstance(index, int) and not any(isinstance(e, ast.Starred) for e in node.elts):
            if -len(node.elts) <= index < len(node.elts):
                yield expr.at(node.elts[index])
        else:
            yield from (expr.at(element) for element in node.elts)
    elif isinstance(node, ast.ListComp | ast.GeneratorExp):
        inner = expr.scope.inner.get(node)
        if inner is not None:
            yield Expr(inner, node.elt)
