"""The optimizer's class as a knob: `keras.optimizers.SGD(...)`, with what all of them take."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from pushtrain.code import Call
from pushtrain.entities import Knob, KnobKind
from pushtrain.knobs import ranges
from pushtrain.knobs.catalog import catalog
from pushtrain.knobs.positions import characters
from pushtrain.knobs.uses import Uses

_MODULE = "keras.optimizers"
_SHARED = frozenset({"learning_rate", "lr", "clipnorm", "clipvalue", "global_clipnorm"})
"""Arguments that every optimizer takes."""


def optimizers(uses: Uses) -> Iterator[Knob]:
    """The optimizers that are made by their name in a module, so that another name works too."""
    rule = catalog().rules["optimizer_class"]
    for call in uses.calls:
        function = call.node.func
        if not isinstance(function, ast.Attribute) or not _is_plain(call):
            continue
        if uses.program.names(call.function) != (f"{_MODULE}.{function.attr}",):
            continue
        if uses.program.names(call.function.at(function.value)) != (_MODULE,):
            continue
        span = ranges.around(function.attr, rule) if ranges.fits(function.attr, rule) else None
        if span is None:
            continue
        line, end = function.end_lineno or 0, function.end_col_offset or 0
        column = characters(call.module, line, end) - len(function.attr)
        yield Knob(
            "optimizer",
            KnobKind.CATEGORICAL,
            call.module.path,
            line,
            column,
            function.attr,
            span,
            "keras.Model.compile.optimizer",
        )


def _is_plain(call: Call) -> bool:
    return len(call.node.args) <= 1 and {k.arg for k in call.node.keywords} <= _SHARED
