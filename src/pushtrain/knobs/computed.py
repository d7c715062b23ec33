"""What is computed from a literal: `len(x) // batch_size`, `filters * 2`, `lr / epochs`."""

from __future__ import annotations

import ast

from pushtrain.code import Expr
from pushtrain.knobs.catalog import Tunable, catalog
from pushtrain.knobs.parameters import NOTHING, Argument, Reach, Reaches, joined
from pushtrain.knobs.uses import Uses


class Computed:
    """Judges the uses of results.

    A result follows the literal of its own accord. That is harmless where it only counts (it is
    printed, or given to a parameter that the catalog calls harmless), and as good as the literal
    itself where a hyperparameter gets it that has no fixed ends.
    """

    def __init__(self, uses: Uses) -> None:
        self._uses = uses

    def of(self, result: Expr, named: frozenset[str] = frozenset()) -> Reaches:
        """What a computed number reaches by all its uses.

        Args:
            result: the expression that computes it.
            named: the names that it has got on the way.
        """
        for node, parent in self._uses.around(result.node):
            if isinstance(parent, ast.Call | ast.keyword):
                if not self._is_rounding(result, node, parent):
                    return self._given(Argument.of(self._uses, result, node, parent))
            elif isinstance(parent, ast.Assign):
                return self._named(result, parent, named)
            elif not isinstance(parent, ast.BinOp) and not chooses(parent, node):
                return NOTHING if is_text(parent) or isinstance(parent, ast.Expr) else None
        return None

    def _is_rounding(self, result: Expr, node: ast.AST, parent: ast.AST) -> bool:
        if not isinstance(parent, ast.Call) or node not in parent.args:
            return False
        names = self._uses.program.names(result.at(parent.func))
        return bool(names) and set(names) <= set(catalog().harmless.rounding)

    def _given(self, argument: Argument | None) -> Reaches:
        if argument is None:
            return None
        call = argument.call
        values = self._uses.program.values(call.function)
        names = self._uses.program.names(call.function) if values else (f"?.{call.method}",)
        if len(names) < len(values):
            return None  # a function of the program: its parameter is not followed
        return joined(self._taken(name, argument) for name in names)

    def _taken(self, function: str, argument: Argument) -> Reaches:
        for tunable in catalog().parameters(function):
            if argument.is_meant(tunable):
                is_free = not _has_ends(tunable)
                return (Reach(tunable, argument.call, is_computed=True),) if is_free else None
        return NOTHING if catalog().is_harmless(function, argument.name) else None

    def _named(self, result: Expr, assigned: ast.Assign, named: frozenset[str]) -> Reaches:
        """What a result reaches by the name that it gets, wherever that name is read."""
        names = {target.id for target in assigned.targets if isinstance(target, ast.Name)}
        if len(names) < len(assigned.targets):
            return None
        new = names - named
        reads = [read for name in new for read in self._uses.reads(result.module, name)]
        return joined(self.of(read, named | new) for read in reads)


def _has_ends(tunable: Tunable) -> bool:
    """Whether a hyperparameter has ends that a result could leave ("dropout")."""
    return any(catalog().rules[rule].factors is None for rule in tunable.facts.all_rules)


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
