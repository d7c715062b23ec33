"""The space of knob values: what Optuna may draw, and what may stand in the source."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterator, Sequence

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from pushtrain.entities import Choices, Interval, Knob, KnobKind, KnobValue, KnobValues

_ROUND = sorted({base * 2**power for base in (2, 3) for power in range(40)} | {1})
"""Powers of two and the numbers half-way between them: what people try for units, batch sizes
and epochs. A search by orders of magnitude gains nothing from 37 against 36."""


class Space:
    """All values of all knobs.

    Values are `tidy`: integers searched by orders of magnitude are round, floats have three
    significant digits, and nothing leaves its range; the value as pushed always belongs.

    Args:
        knobs: what may be turned; their order is the order of the values.
    """

    def __init__(self, knobs: Sequence[Knob]) -> None:
        self.knobs = tuple(knobs)
        self.pushed: dict[str, KnobValue] = {knob.name: knob.value for knob in knobs}
        self.distributions = {knob.name: _distribution(knob) for knob in knobs}
        self._grids = {knob.name: _grid(knob) for knob in knobs}

    def tidy(self, values: KnobValues) -> dict[str, KnobValue]:
        """The nearest values that may stand in the source."""
        return {knob.name: self._tidy(knob, values[knob.name]) for knob in self.knobs}

    def adopt(self, values: KnobValues) -> dict[str, KnobValue] | None:
        """Values of an earlier run in this space: clipped into their ranges; None when they name
        other knobs, or a choice that is gone."""
        if set(values) != set(self.pushed):
            return None
        for knob in self.knobs:
            value = values[knob.name]
            if isinstance(knob.range, Choices):
                if not any(_same(value, choice) for choice in knob.range.choices):
                    return None
            elif isinstance(value, bool | str) or not math.isfinite(value):
                return None
        return {
            knob.name: _clipped(knob, values[knob.name], knob.range)
            if isinstance(knob.range, Interval)
            else values[knob.name]
            for knob in self.knobs
        }

    def fits(self, values: KnobValues) -> bool:
        """Whether values are of this space as they are: same knobs, within today's ranges."""
        adopted = self.adopt(values)
        return adopted is not None and key_of(adopted) == key_of(values)

    def all(self) -> Iterator[dict[str, KnobValue]] | None:
        """Every combination, the nearest to the start of each range first; None when a float
        makes them too many to tell."""
        grids = [self._grids[knob.name] for knob in self.knobs]
        if any(grid is None for grid in grids):
            return None
        names = [knob.name for knob in self.knobs]
        combinations = itertools.product(*(grid for grid in grids if grid is not None))
        return (dict(zip(names, values, strict=True)) for values in combinations)

    def _tidy(self, knob: Knob, value: KnobValue) -> KnobValue:
        if isinstance(knob.range, Choices) or isinstance(value, bool | str):
            return value
        grid, span, number = self._grids[knob.name], knob.range, value
        if grid is None:
            return _clipped(knob, float(f"{number:.3g}"), span)
        place = bisect.bisect_left(grid, number, key=float)
        near = grid[max(place - 1, 0) : place + 1]
        return min(near, key=lambda each: _distance(float(each), number, span))


def key_of(values: KnobValues) -> tuple[tuple[str, str], ...]:
    """What makes two sets of values the same (True is not 1, and 1 is not 1.0)."""
    return tuple(sorted((name, repr(value)) for name, value in values.items()))


def _distribution(knob: Knob) -> BaseDistribution:
    if isinstance(knob.range, Choices):
        return CategoricalDistribution(knob.range.choices)
    low, high = knob.range.low, knob.range.high
    if knob.kind is KnobKind.FLOAT:
        return FloatDistribution(low, high, log=knob.range.log and low > 0)
    is_log = knob.range.log and low >= 1
    return IntDistribution(int(low), int(high), log=is_log)


def _grid(knob: Knob) -> list[KnobValue] | None:
    """The values of a knob that has countably many, in order; None for a float."""
    if isinstance(knob.range, Choices):
        return list(knob.range.choices)
    low, high = knob.range.low, knob.range.high
    if knob.kind is KnobKind.FLOAT:
        return [knob.value] if low == high else None
    low, high = int(low), int(high)
    if knob.range.log and low >= 1:
        numbers = {low, high, *(each for each in _ROUND if low <= each <= high)}
    else:
        numbers = set(range(low, high + 1, knob.range.step))
    return sorted(numbers | {int(knob.value)})


def _clipped(knob: Knob, value: KnobValue, span: Interval) -> KnobValue:
    inside = min(max(float(value), span.low), span.high)
    return float(inside) if knob.kind is KnobKind.FLOAT else round(inside)


def _distance(one: float, other: float, span: Interval) -> float:
    if span.log and one > 0 and other > 0:
        return abs(math.log(one / other))
    return abs(one - other)


def _same(one: KnobValue, other: KnobValue) -> bool:
    return type(one) is type(other) and one == other


def signature(knobs: Sequence[Knob]) -> tuple[tuple[str, str, str], ...]:
    """What two pushes must share for one to learn from the other: the knobs' names, kinds and
    APIs, whatever their lines, pushed values and ranges."""
    return tuple(sorted((knob.name, knob.kind.value, knob.api) for knob in knobs))
