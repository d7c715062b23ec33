"""What must hold around a hyperparameter before it may be turned."""

from __future__ import annotations

import ast
from functools import cached_property

from pushtrain.code import Call, Expr
from pushtrain.knobs.catalog import catalog
from pushtrain.knobs.layers import Layers
from pushtrain.knobs.parameters import Reach
from pushtrain.knobs.structure import is_given
from pushtrain.knobs.uses import Uses

_PIPELINES = frozenset({"sklearn.pipeline.Pipeline", "sklearn.pipeline.make_pipeline"})
_SAVES = frozenset({"save_weights", "ModelCheckpoint"})


class Needs:
    """Judges the needs of parameters (`Parameter.needs`, `Parameter.frozen_by`)."""

    def __init__(self, uses: Uses, layers: Layers) -> None:
        self._uses = uses
        self._layers = layers

    @cached_property
    def is_structure_fixed(self) -> bool:
        """Whether weights that come from elsewhere are put into the model."""
        mentions = self._uses.mentions
        is_loaded = "load_weights" in mentions and not mentions & _SAVES
        return is_loaded or ("set_weights" in mentions and "get_weights" not in mentions)

    def are_met(self, reach: Reach) -> bool:
        """Whether the parameter that is reached may be turned at this call."""
        facts, call = reach.tunable.facts, reach.call
        if any(name in self._uses.mentions for name in facts.frozen_by):
            return False
        match facts.needs:
            case None:
                return True
            case "hidden":
                return self._is_free(call)
            case "same":
                is_same = is_given(call, ("padding", "border_mode"), "same")
                return is_same and self._is_free(call)
            case "pipeline":
                return self._is_piped(call.expr)

    def _is_free(self, call: Call) -> bool:
        """Whether a layer is hidden and nothing fixes its size."""
        given = {keyword.arg for keyword in call.node.keywords}
        is_fixed = None in given or bool(given & catalog().layers.fixed_by)
        return not (is_fixed or self.is_structure_fixed) and self._layers.is_hidden(call.expr)

    def _is_piped(self, step: Expr) -> bool:
        """Whether every use of a transformer is as a step of a pipeline."""
        verdicts = [self._is_step(use) for use in self._uses.of(step)]
        return True in verdicts and False not in verdicts

    def _is_step(self, use: Expr) -> bool | None:
        """None where the transformer only gets another name."""
        node: ast.expr = use.node
        parent = self._uses.parent(node)
        if isinstance(parent, ast.Assign):
            return None
        while isinstance(parent, ast.Tuple | ast.List):  # ("pca", PCA(2)) in a list
            node, parent = parent, self._uses.parent(parent)
        if isinstance(parent, ast.Assign):
            return self._are_steps(use.at(node), parent)
        if isinstance(parent, ast.keyword):
            parent = self._uses.parent(parent)
        return isinstance(parent, ast.Call) and self._is_pipeline(use.at(parent.func))

    def _are_steps(self, steps: Expr, named_by: ast.Assign) -> bool:
        """Whether a list of steps, given a name first, only goes to pipelines."""
        users = [self._uses.parent(use.node) for use in self._uses.of(steps)]
        calls = [user for user in users if user is not named_by]
        return bool(calls) and all(
            isinstance(call, ast.Call) and self._is_pipeline(steps.at(call.func)) for call in calls
        )

    def _is_pipeline(self, function: Expr) -> bool:
        names = self._uses.program.names(function)
        return bool(names) and set(names) <= _PIPELINES
