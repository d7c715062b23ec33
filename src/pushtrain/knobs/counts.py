"""What is computed from a hyperparameter, and only counts: steps, buffers, progress."""

from __future__ import annotations

import ast

from pushtrain.code import Call, Expr
from pushtrain.knobs.catalog import catalog
from pushtrain.knobs.parameters import Argument
from pushtrain.knobs.uses import Uses

_DEEPEST = 4


class Counts:
    """Judges results such as `len(x) // batch_size` and `learning_rate / epochs`.

    They follow the hyperparameter of their own accord, which is harmless where the result is
    only printed or given to a parameter that the catalog calls harmless ("steps_per_epoch").
    """

    def __init__(self, uses: Uses) -> None:
        self._uses = uses

    def is_count(self, result: Expr, depth: int = 0) -> bool:
        """Whether every use of a computed number is harmless."""
        if depth > _DEEPEST:
            return False
        for node, parent in self._uses.around(result.node):
            if isinstance(parent, ast.Call | ast.keyword):
                if not self._is_rounding(result, node, parent):
                    return self._is_harmless(Argument.of(self._uses, result, node, parent))
            elif isinstance(parent, ast.Assign):
                return self._is_named_count(result, parent, depth)
            elif not isinstance(parent, ast.BinOp) and not chooses(parent, node):
                return is_text(parent) or isinstance(parent, ast.Expr)
        return False

    def _is_rounding(self, result: Expr, node: ast.AST, parent: ast.AST) -> bool:
        if not isinstance(parent, ast.Call) or node not in parent.args:
            return False
        names = self._uses.program.names(result.at(parent.func))
        return bool(names) and set(names) <= set(catalog().harmless.rounding)

    def _is_harmless(self, argument: Argument | None) -> bool:
        if argument is None:
            return False
        call: Call = argument.call
        values = self._uses.program.values(call.function)
        names = self._uses.program.names(call.function) if values else (f"?.{call.method}",)
        return len(names) >= len(values) and all(
            catalog().is_harmless(name, argument.name) for name in names
        )

    def _is_named_count(self, result: Expr, assigned: ast.Assign, depth: int) -> bool:
        """Whether the name that a result gets is only ever read as a count."""
        names = [target.id for target in assigned.targets if isinstance(target, ast.Name)]
        return len(names) == len(assigned.targets) and all(
            self.is_count(read, depth + 1)
            for name in names
            for read in self._uses.reads(result.module, name)
        )


def chooses(parent: ast.AST, node: ast.AST) -> bool:
    """Whether `parent` has the value of `node`, or another one."""
    if isinstance(parent, ast.IfExp):
        return parent.test is not node
    return isinstance(parent, ast.BoolOp | ast.NamedExpr)


def is_text(parent: ast.AST) -> bool:
    """Whether `parent` is `f"{value}"` or `"%d" % value`."""
    return isinstance(parent, ast.FormattedValue) or (
        isinstance(parent, ast.BinOp)
        and isinstance(parent.op, ast.Mod)
        and isinstance(parent.left, ast.Constant)
        and isinstance(parent.left.value, str)
    )
