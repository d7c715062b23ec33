"""Which values of earlier runs are worth trying again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pushtrain.entities import KnobValue, Objective
from pushtrain.study.observation import Observation, Outcome
from pushtrain.study.space import Space, key_of

_MOST_MET = 2


@dataclass(frozen=True, slots=True)
class Learnt:
    """Values from earlier runs, in today's ranges, and whether they met today's target."""

    values: dict[str, KnobValue]
    is_met: bool
    value: float


def worth_repeating(
    space: Space, objective: Objective, earlier: Iterable[Observation]
) -> list[Learnt]:
    """The two best values that met the target, or else the best ones known.

    The latest result of the same values counts. Values that had to be clipped into today's
    ranges were never measured, so they are only a hope.
    """
    latest: dict[object, Learnt] = {}
    for each in earlier:
        values = space.adopt(each.values)
        if values is None or each.outcome is not Outcome.GOOD or each.value is None:
            continue
        was_measured = key_of(values) == key_of(each.values)
        is_met = was_measured and each.is_evidence and objective.is_met(each.value)
        latest[key_of(values)] = Learnt(values, is_met, each.value)
    best: list[Learnt] = []
    for one in latest.values():
        place = next((i for i, other in enumerate(best) if _beats(one, other, objective)), None)
        best.insert(len(best) if place is None else place, one)
    met = [each for each in best if each.is_met]
    return met[:_MOST_MET] or best[:1]


def _beats(one: Learnt, other: Learnt, objective: Objective) -> bool:
    if one.is_met is not other.is_met:
        return one.is_met
    return objective.is_better(one.value, other.value)
