"""The fields of data classes and named tuples, and what they get when the class is called."""

from __future__ import annotations

import ast

from pushtrain.code.scopes import Call, Expr, Scope


def fields(owner: Scope) -> list[str]:
    """The annotated names of a class without an `__init__` of its own, in their order."""
    node = owner.node
    if not isinstance(node, ast.ClassDef) or any(
        inner.name == "__init__" for inner in owner.inner.values()
    ):
        return []
    return [
        statement.target.id
        for statement in node.body
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
    ]


def given(owner: Scope, name: str, call: Call) -> Expr | None:
    """What `call` gives for the field `name` of the class that it makes an object of."""
    names = fields(owner)
    return call.argument(name, names.index(name)) if name in names else None
