"""What one trial taught: the only thing that a search learns from."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Any

from pydantic import ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass

from pushtrain.entities import Cause, KnobValue, Objective, TrialResult, TrialState
from pushtrain.objective import epoch_value

_SAYS_NOTHING = frozenset(
    {
        Cause.KILLED,
        Cause.STALLED,
        Cause.DISK_FULL,
        Cause.ENGINE_GONE,
        Cause.IMAGE_MISSING,
        Cause.MISSING_MODULE,
    }
)
"""Ends that no knob value brings about."""


class Outcome(StrEnum):
    """How a trial's values turned out."""

    GOOD = "good"
    """The objective's metric was measured."""
    PRUNED = "pruned"
    """It fell behind and was stopped; its value is the last one of an epoch."""
    BAD = "bad"
    """It cannot be trained with these values: worse than any value."""


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid", strict=True))
class Observation:
    """Values that were tried, and how they turned out.

    Attributes:
        run: the run's id.
        number: the trial's number in that run.
        values: all knobs' values.
        outcome: how it ended.
        value: the objective's value; for a pruned trial its last epoch's; None for a bad one.
        epochs: how many epochs it trained, where it has any.
        is_evidence: whether the value was measured on data that the model did not learn from.
        time: Unix time at which it was noted.
    """

    run: str
    number: int
    values: dict[str, KnobValue]
    outcome: Outcome
    value: float | None
    epochs: int
    is_evidence: bool
    time: float


OBSERVATION: TypeAdapter[Observation] = TypeAdapter(Observation)
"""Validates and serialises one observation."""


def observe(
    result: TrialResult, objective: Objective, *, run: str, time: float
) -> Observation | None:
    """What a result teaches; None where its end says nothing about its values."""
    if result.state in (TrialState.STOPPED, TrialState.RUNNING):
        return None
    if result.failure is not None and result.failure.cause in _SAYS_NOTHING:
        return None
    outcome, value = Outcome.BAD, None
    if result.state is TrialState.COMPLETE:
        outcome, value = Outcome.GOOD, result.value
    elif result.state is TrialState.PRUNED:
        curve = [epoch_value(epoch, objective) for epoch in result.epochs]
        seen = [each for each in curve if each is not None]
        outcome, value = Outcome.PRUNED, seen[-1] if seen else None
    if value is None or not math.isfinite(value):
        outcome, value = Outcome.BAD, None
    evidence = result.measurement is not None and result.measurement.role.is_evidence
    facts: dict[str, Any] = {"epochs": len(result.epochs), "is_evidence": evidence, "time": time}
    return Observation(run, result.number, dict(result.values), outcome, value, **facts)
