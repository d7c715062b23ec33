"""The objective: which target a run works towards, and which measurement counts for it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pushtrain.entities import (
    Detection,
    Direction,
    Epoch,
    Measurement,
    Objective,
    Role,
    Task,
)
from pushtrain.errors import ObjectiveError
from pushtrain.metrics import canonical, direction_of, known
from pushtrain.settings import ObjectiveSettings

DEFAULT = Objective("accuracy", 0.80)
"""What a classifier must reach where nobody states a target."""

_EXAMPLE = (
    "state one: `pushtrain run REPO --metric {metric} --target {target:g}`, or in pushtrain.toml: "
    '[objective] metric = "{metric}", target = {target:g}'
)
_BEST_FIRST = tuple(Role)


def settle(
    detection: Detection,
    settings: ObjectiveSettings,
    *,
    metric: str | None = None,
    target: float | None = None,
    direction: Direction | None = None,
) -> Objective:
    """The objective of a run: from the flags, else `[objective]`, else the default.

    A target and direction in the settings belong to the settings' metric: they do not count when
    a flag names another one.

    Args:
        detection: the default holds for classification only.
        settings: `[objective]` of the repository.
        metric: `--metric`.
        target: `--target`.
        direction: `--direction`; without any it follows from the metric's name
            (`metrics.direction_of` tells whether it is known or assumed).

    Raises:
        ObjectiveError: no target is stated and none can be assumed, or it cannot be reached.
    """
    if metric is None or settings.metric is None or canonical(metric) == canonical(settings.metric):
        metric = metric or settings.metric
        target = settings.target if target is None else target
        direction = direction or settings.direction
    name = canonical(metric) if metric else _assumed_metric(detection, target)
    if not name:
        raise ObjectiveError(f"{metric!r} names no metric", hint=_example("accuracy"))
    if target is None and name == DEFAULT.metric and direction is not Direction.MINIMIZE:
        target = DEFAULT.target
    if target is None:
        raise ObjectiveError(f"no target is stated for {name}", hint=_example(name), metric=name)
    _check(name, target)
    return Objective(name, float(target), direction or direction_of(name)[0])


def choose(
    measurements: Sequence[Measurement], epochs: Sequence[Epoch], objective: Objective
) -> Measurement | None:
    """The measurement that counts for the objective, or None when its metric was never measured.

    The best evidence wins (the order of `Role`); within a role the last one measured, since a
    script's last evaluation is the one it means. The best epoch of `val_<metric>` stands in for
    a missing final validation, and the best training epoch for a missing training value.
    The value may be NaN.
    """
    matching = [m for m in measurements if canonical(m.metric) == objective.metric]
    for role in _BEST_FIRST:
        measured = [m for m in matching if m.role is role]
        if measured:
            return measured[-1]
        if role in (Role.VALIDATION, Role.TRAINING):
            best = _best_epoch(epochs, objective, role)
            if best is not None:
                return best
    return None


def epoch_value(epoch: Epoch, objective: Objective) -> float | None:
    """The objective's metric after one epoch, for pruning: on validation data, else (as a weak
    signal, never as evidence) on training data; None where the epoch has neither."""
    value = _in_epoch(epoch, objective.metric, Role.VALIDATION)
    return _in_epoch(epoch, objective.metric, Role.TRAINING) if value is None else value


def _best_epoch(epochs: Sequence[Epoch], objective: Objective, role: Role) -> Measurement | None:
    best: float | None = None
    for epoch in epochs:
        value = _in_epoch(epoch, objective.metric, role)
        if value is not None and (best is None or objective.is_better(value, best)):
            best = value
    if best is None:
        return None
    prefix = "val_" if role is Role.VALIDATION else ""
    source = f"{prefix}{objective.metric}, best of {_count(len(epochs), 'epoch')}"
    return Measurement(objective.metric, best, role, source)


def _in_epoch(epoch: Epoch, metric: str, role: Role) -> float | None:
    is_validation = role is Role.VALIDATION
    for name, value in epoch.metrics.items():
        if name.startswith("val_") == is_validation and canonical(name) == metric:
            return value
    return None


def _assumed_metric(detection: Detection, target: float | None) -> str:
    if detection.task is Task.CLASSIFICATION:
        return DEFAULT.metric
    kind = "a regression" if detection.task is Task.REGRESSION else "no plain classification"
    stated = "no target is stated" if target is None else f"target {target:g} names no metric"
    suggestion = "mae" if detection.task is Task.REGRESSION else "loss"
    raise ObjectiveError(
        f"{stated}, and {detection.entry} is {kind}, for which none can be assumed",
        hint=_example(suggestion, target),
        task=detection.task.value,
    )


def _check(metric: str, target: float) -> None:
    if not math.isfinite(target):
        raise ObjectiveError(
            f"target {target} of {metric} is not a number to reach", hint=_example(metric)
        )
    facts = known(metric)
    if facts is None or facts.low <= target <= facts.high:
        return
    if facts.is_share and 1 < target <= 100:
        raise ObjectiveError(
            f"{metric} is a share between 0 and 1, {target:g} cannot be reached",
            hint=f"did you mean {target / 100:g}? " + _example(metric, target / 100),
            metric=metric,
            target=target,
        )
    raise ObjectiveError(
        f"{metric} lies between {facts.low:g} and {facts.high:g}, target {target:g} does not",
        hint=_example(metric),
        metric=metric,
        target=target,
    )


def _example(metric: str, target: float | None = None) -> str:
    if target is None:
        facts = known(metric)
        is_higher = direction_of(metric)[0] is Direction.MAXIMIZE
        target = 0.9 if is_higher else 0.1 if facts is None or facts.low <= 0 else facts.low * 20
    return _EXAMPLE.format(metric=metric, target=target)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
