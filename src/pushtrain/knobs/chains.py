"""The Sequential models of a program, each as a chain of layers, listed or added."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace

from pushtrain.code import Call, Expr, External, Local, Made, Scope
from pushtrain.knobs.catalog import catalog
from pushtrain.knobs.chain import Link, guards
from pushtrain.knobs.uses import Uses

SEQUENTIAL = "keras.Sequential"
_LAYER = "keras.layers."
_DEEPEST = 4
_MOST = 500


class Chains:
    """The Sequential models of a program."""

    def __init__(self, uses: Uses) -> None:
        self._uses = uses
        self._added: dict[ast.AST, list[Call]] = {}
        self._changed: set[ast.AST] = set()
        self._helped: dict[Scope, list[tuple[Call, Scope]]] = {}
        self._links: dict[ast.AST, tuple[Link, ...]] = {}
        self.models: list[Expr] = []
        """The calls that make them, in source order."""
        for call in uses.calls:
            self._note(call)

    def _note(self, call: Call) -> None:
        for value in self._uses.program.values(call.function):
            if value == External(SEQUENTIAL):
                self.models.append(call.expr)
            elif isinstance(value, Local) and value.scope.is_function:
                self._helped.setdefault(call.scope, []).append((call, value.scope))
        if call.receiver is not None and call.method in {"add", "pop"}:
            for model in self._models(call.receiver):
                if call.method == "add":
                    self._added.setdefault(model.node, []).append(call)
                else:
                    self._changed.add(model.node)

    def of(self, model: Expr) -> tuple[Link, ...]:
        """The layers of the model that the call `model` makes, one that is added by a function
        once for each of its calls; empty when their order is not known."""
        known = self._links.get(model.node)
        if known is None:
            known = self._links[model.node] = self._read(model)
        return known

    def models_of(self, receiver: Expr) -> tuple[Expr, ...] | None:
        """The Sequential models that an expression may stand for; None if it may be another
        thing."""
        found = tuple(self._models(receiver))
        return found if found and len(found) == len(self._uses.program.values(receiver)) else None

    def holders(self, items: Expr) -> tuple[Expr, ...] | None:
        """The Sequential models that are made of a list of layers; None if it has other uses."""
        found = []
        for use in self._uses.of(items):
            parent = self._uses.parent(use.node)
            if isinstance(parent, ast.Assign | ast.AnnAssign | ast.Return):
                continue
            if isinstance(parent, ast.Attribute) and parent.attr == "append":
                continue
            call = self._uses.parent(parent) if isinstance(parent, ast.keyword) else parent
            if not isinstance(call, ast.Call) or not self._makes_model(use.at(call.func)):
                return None
            found.append(use.at(call))
        return tuple(found) or None

    # --- reading a chain ---------------------------------------------------------------------

    def _read(self, model: Expr) -> tuple[Link, ...]:
        assert isinstance(model.node, ast.Call)
        given = Call(model.scope, model.node).argument("layers", 0)
        listed = self._listed(given) if given is not None else ()
        added = self._added.get(model.node, [])
        in_order = tuple(self._in_order(model.scope, model, 0))
        missed = {call.node for call in added} - {link.statement for link in in_order}
        if listed is None or missed or model.node in self._changed or len(in_order) > _MOST:
            return ()
        return (*listed, *in_order)

    def _in_order(self, scope: Scope, model: Expr, depth: int) -> Iterator[Link]:
        """What a scope adds to a model, with what the functions that it calls add."""
        own = [(call, None) for call in self._added.get(model.node, ()) if call.scope is scope]
        helped = [
            (call, function)
            for call, function in self._helped.get(scope, ())
            if depth < _DEEPEST and self._may_get(call, model)
        ]
        steps: list[tuple[Call, Scope | None]] = [*own, *helped]
        for call, function in sorted(steps, key=lambda step: _place(step[0])):
            if function is None:
                layer = call.argument("layer", 0)
                if layer is not None:
                    yield self._link(layer, call.node)
            else:
                around = guards(self._uses, call.node)
                for link in self._in_order(function, model, depth + 1):
                    yield replace(link, guards=(*link.guards, *around), is_repeated=True)

    def _may_get(self, call: Call, model: Expr) -> bool:
        """Whether a called function may get this model: it is given it, or no model at all."""
        given = [*call.node.args, *(keyword.value for keyword in call.node.keywords)]
        models = {m.node for argument in given for m in self._models(call.expr.at(argument))}
        return not models or model.node in models

    def _listed(self, given: Expr) -> tuple[Link, ...] | None:
        """The links of the one list that `given` stands for, those that are appended to it
        included; None when they are not known."""
        lists = self._uses.program.literals(given)
        items = lists[0] if len(lists) == 1 else given
        if not isinstance(items.node, ast.List | ast.Tuple):
            return None
        appended: list[Call] = []
        for use in self._uses.of(items):
            parent = self._uses.parent(use.node)
            call = self._uses.parent(parent) if isinstance(parent, ast.Attribute) else None
            if isinstance(call, ast.Call) and Call(use.scope, call).method == "append":
                appended.append(Call(use.scope, call))
            elif isinstance(parent, ast.Attribute | ast.BinOp | ast.AugAssign | ast.Starred):
                return None  # layers.extend(...), layers + [...]
        if len({call.scope for call in appended}) > 1:
            return None
        links = [self._link(items.at(element), None) for element in items.node.elts]
        for added in sorted(appended, key=_place):
            layer = added.argument("object", 0)
            if layer is not None:
                links.append(self._link(layer, added.node))
        return tuple(links)

    def _link(self, layer: Expr, statement: ast.Call | None) -> Link:
        around = guards(self._uses, statement or layer.node)
        return Link(layer, self.kind(layer), around, statement)

    # --- what things are ---------------------------------------------------------------------

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

    def _models(self, receiver: Expr) -> Iterator[Expr]:
        for value in self._uses.program.values(receiver):
            if isinstance(value, Made) and value.name == SEQUENTIAL:
                yield value.by

    def _makes_model(self, function: Expr) -> bool:
        return self._uses.program.values(function) == (External(SEQUENTIAL),)


def _place(call: Call) -> tuple[int, int]:
    """Where a call ends, since `a(b())` calls `b` first."""
    return call.node.end_lineno or 0, call.node.end_col_offset or 0
