"""Which bindings of a name a use of it can see."""

from __future__ import annotations

import ast

from pushtrain.code.scopes import Binding


def visible(bindings: list[Binding], use: ast.expr | None) -> list[Binding]:
    """The bindings that a use in the same scope can see; all of them for uses elsewhere."""
    if use is None:
        return _last(bindings, None)
    line = use.lineno
    before = [b for b in bindings if _starts_before(b, use)]
    if not before:
        return bindings
    later = [
        b
        for b in bindings
        if b.loop and b.loop[0] <= line <= b.loop[1] and not _starts_before(b, use)
    ]
    return [*_last(before, line), *later]


def _starts_before(binding: Binding, use: ast.expr) -> bool:
    node = binding.node
    if isinstance(node, ast.arg):
        return True
    end = (getattr(node, "end_lineno", 0) or 0, getattr(node, "end_col_offset", 0) or 0)
    if isinstance(node, ast.With | ast.AsyncWith | ast.ExceptHandler | ast.ClassDef):
        end = (getattr(node, "lineno", 0), 10_000)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.NamedExpr):
        end = (node.lineno, 0)
    return end <= (use.lineno, use.col_offset)


def _last(bindings: list[Binding], line: int | None) -> list[Binding]:
    """The bindings back to the latest one that is sure to have run."""
    found: list[Binding] = []
    for binding in reversed(bindings):
        found.append(binding)
        branch = binding.branch
        if branch is None or (line is not None and branch[0] <= line <= branch[1]):
            break
    return found[::-1]
