"""Which layers are hidden: whose width only layers that take any width ever see."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

from pushtrain.code import Call, Expr, External, Local
from pushtrain.knobs.catalog import catalog
from pushtrain.knobs.chain import follows
from pushtrain.knobs.chains import Chains
from pushtrain.knobs.parameters import takes
from pushtrain.knobs.uses import Uses

_OUTPUTS = frozenset({"call", "forward", "__call__"})
"""Methods whose result is the output of a layer or model."""


class Layers:
    """Judges the layers of a program, whatever way its models are built.

    A layer is hidden when it is proven to be: every use of its output ends in a layer that takes
    an input of any width ("Dense"), through layers that hand on what they get ("Dropout"). What
    is not understood (a sum, a reshape, a model's output) proves nothing.
    """

    def __init__(self, uses: Uses, chains: Chains) -> None:
        self._uses = uses
        self._chains = chains
        self._known: dict[ast.AST, bool] = {}
        self._under_way: set[ast.AST] = set()
        self._loops = 0

    def is_hidden(self, layer: Expr) -> bool:
        """Whether the layer that the call `layer` makes is hidden wherever it is used."""
        known = self._known.get(layer.node)
        if known is None:
            uses = self._uses.of(layer)
            known = self._known[layer.node] = _all(self._layer(use) for use in uses)
        return known

    # --- a layer: applied, added, listed or wrapped ----------------------------------------------

    def _layer(self, use: Expr) -> bool | None:
        """Whether one use of a layer hides it; None where it only gets another name."""
        for node, parent in self._uses.around(use.node):
            if isinstance(parent, ast.IfExp) and parent.test is not node:
                continue
            if isinstance(parent, ast.Call) and parent.func is node:
                return _is_plain(parent) and self._output(use.at(parent))
            if isinstance(parent, ast.Call) and node in parent.args:
                return self._given(use.at(parent), parent, use)
            if isinstance(parent, ast.keyword):
                call = self._uses.parent(parent)
                return isinstance(call, ast.Call) and self._given(use.at(call), call, use)
            if isinstance(parent, ast.List | ast.Tuple):
                return self._listed(use, use.at(parent))
            return None if _is_alias(parent, node) else False
        return False

    def _given(self, call: Expr, node: ast.Call, use: Expr) -> bool:
        """A layer as argument: of `model.add`, of `layers.append`, or of a wrapper."""
        taker = Call(call.scope, node)
        if taker.receiver is not None and taker.method == "add":
            return self._placed(self._chains.models_of(taker.receiver), node)
        if taker.receiver is not None and taker.method == "append":
            lists = self._uses.program.literals(taker.receiver)
            return len(lists) == 1 and self._placed(self._chains.holders(lists[0]), node)
        names = self._uses.program.names(taker.function)
        wrappers = {f"keras.layers.{name}" for name in catalog().layers.wrappers}
        is_first = taker.argument("layer", 0) == use
        return bool(names) and set(names) <= wrappers and is_first and self.is_hidden(call)

    def _listed(self, element: Expr, items: Expr) -> bool:
        return self._placed(self._chains.holders(items), element.node)

    def _placed(self, models: Sequence[Expr] | None, place: ast.AST) -> bool:
        """Whether what follows in Sequential models hides the layer that is added or listed at
        `place`, wherever it comes."""
        verdicts = [
            follows(links, index)
            for model in models or ()
            for links in (self._chains.of(model),)
            for index, link in enumerate(links)
            if place in {link.statement, link.layer.node}
        ]
        return bool(verdicts) and all(verdicts)

    # --- a tensor: the output of an applied layer ------------------------------------------------

    def _output(self, tensor: Expr) -> bool | None:
        """Whether a layer's output is only given to layers that take any width."""
        if tensor.node in self._under_way:
            self._loops += 1
            return None
        known = self._known.get(tensor.node)
        if known is not None:
            return known
        loops = self._loops
        self._under_way.add(tensor.node)
        verdict = _all(self._tensor(use) for use in self._uses.of(tensor))
        self._under_way.discard(tensor.node)
        if loops == self._loops:  # else it rests on what is still being judged
            self._known[tensor.node] = verdict
        return verdict

    def _tensor(self, use: Expr) -> bool | None:
        for node, parent in self._uses.around(use.node):
            if isinstance(parent, ast.IfExp) and parent.test is not node:
                continue
            if isinstance(parent, ast.Call) and parent.func is not node:
                return self._fed(use, parent, node)
            if isinstance(parent, ast.List | ast.Tuple):
                call = self._uses.parent(parent)
                return isinstance(call, ast.Call) and self._fed(use, call, parent)
            if isinstance(parent, ast.Return) and _is_output(use):
                return False
            return None if _is_alias(parent, node) else False
        return False

    def _fed(self, use: Expr, call: ast.Call, argument: ast.AST) -> bool | None:
        """A tensor as argument: of a layer, or of a function of the program."""
        taker = Call(use.scope, call)
        values = self._uses.program.values(taker.function)
        if values and all(isinstance(value, Local) for value in values):
            known = [isinstance(v, Local) and takes(v.scope, taker, argument) for v in values]
            return None if all(known) else False
        if not call.args or call.args[0] is not argument:
            return False  # a state or a mask, whose width is not free
        layers = catalog().layers
        kinds = {self._kind(value) for value in values}
        if kinds and kinds <= layers.absorbs and not isinstance(argument, ast.List | ast.Tuple):
            return True
        if kinds and kinds <= layers.absorbs | layers.passes:
            return self._output(use.at(call))
        return False

    def _kind(self, value: object) -> str:
        """The class of a layer, or the name of a function that acts as one."""
        if isinstance(value, External):
            return value.name.removeprefix("keras.layers.")
        return self._chains.kind_of(value)


def _all(uses: Iterable[bool | None]) -> bool:
    """Whether one use at least proves it and none speaks against it."""
    proven = False
    for verdict in uses:
        if verdict is False:
            return False
        proven = proven or verdict is True
    return proven


def _is_plain(application: ast.Call) -> bool:
    """Whether a layer gets nothing but its input: a state that it starts from has its width."""
    given = {keyword.arg for keyword in application.keywords}
    return len(application.args) <= 1 and given <= {"inputs", "training", "mask"}


def _is_output(use: Expr) -> bool:
    """Whether what stands in `return` here is the output of a layer or model."""
    return use.scope.owner is not None and use.scope.name in _OUTPUTS


def _is_alias(parent: ast.AST, node: ast.AST) -> bool:
    if isinstance(parent, ast.Assign | ast.AnnAssign | ast.NamedExpr | ast.Return):
        return parent.value is node
    return isinstance(parent, ast.Expr)
