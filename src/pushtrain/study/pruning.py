"""When to give up on a trial early."""

from __future__ import annotations

import math
from collections.abc import Iterable

import optuna
from optuna.pruners import PercentilePruner
from optuna.trial import TrialState, create_trial

from pushtrain.entities import Epoch, Objective
from pushtrain.objective import epoch_value

_WORST_THIRD = 100 * 2 / 3
_CURVES = 4
_WARM_UP = 2


class Pruning:
    """Stops a trial whose best value so far is among the worst third at the same epoch.

    Only the curves of complete trials that got as far as that epoch are compared, so a trial of
    many epochs is never held against the end of a short one. Nothing is pruned before 4 such
    curves exist, nor in a trial's first two epochs, unless its value is NaN: a training that
    diverged does not come back.

    Args:
        objective: tells which way is better.
    """

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._study = optuna.create_study(direction=objective.direction.value)
        self._pruner = PercentilePruner(
            _WORST_THIRD, n_startup_trials=_CURVES, n_warmup_steps=_WARM_UP, n_min_trials=_CURVES
        )
        self._running: dict[int, dict[int, float]] = {}

    def add(self, epochs: Iterable[Epoch], value: float) -> None:
        """Notes the curve of a complete trial."""
        curve = {
            epoch.number: seen
            for epoch in epochs
            if (seen := epoch_value(epoch, self._objective)) is not None
        }
        if curve:
            done = TrialState.COMPLETE
            self._study.add_trial(create_trial(state=done, value=value, intermediate_values=curve))

    def forget(self, number: int) -> None:
        """The trial has ended."""
        self._running.pop(number, None)

    def is_behind(self, number: int, epoch: int, value: float) -> bool:
        """Notes a value of a running trial; whether it should be stopped."""
        curve = self._running.setdefault(number, {})
        curve[epoch] = value
        if math.isnan(value):
            return True
        trial = create_trial(state=TrialState.RUNNING, intermediate_values=dict(curve))
        return self._pruner.prune(self._study, trial)
