"""Whether a function of the program takes an argument by a parameter that can be followed."""

from __future__ import annotations

import ast

from pushtrain.code import BindingKind, Call, Scope


def takes(function: Scope, call: Call, argument: ast.AST) -> bool:
    """Whether `argument` of `call` becomes a named parameter of `function` (or, for a class, of
    its `__init__` or a field of its body); what ends in `*args` or `**kwargs` is lost."""
    if not function.is_class:
        return _has_parameter(function, call, argument, skipped=function.owner is not None)
    for inner in function.inner.values():
        if inner.name == "__init__":
            return _has_parameter(inner, call, argument, skipped=True)
    return False


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
