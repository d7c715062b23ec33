"""The ladder: a few sensible moves from the best values so far, before the search proper.

It keeps no state of its own: which move comes next follows from what was tried, so that a search
that is taken up again goes on where it stood.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from pushtrain.entities import Choices, Knob, KnobKind, KnobValue, KnobValues
from pushtrain.study.space import Space, key_of


@dataclass(frozen=True, slots=True)
class Move:
    """One change to all knobs of a sort: `scale`, `add` or `choose` (see ladder.toml)."""

    name: str
    parameters: re.Pattern[str]
    scale: float = 1.0
    add: int = 0
    choose: tuple[str, ...] = ()

    def __call__(self, values: KnobValues, space: Space) -> dict[str, KnobValue]:
        """The values after the move; the same values where it changes nothing."""
        moved = dict(values)
        for knob in space.knobs:
            if self._is_about(knob):
                moved[knob.name] = self._moved(knob, values[knob.name])
        after = space.tidy(moved)
        # What the move leaves alone stays as it is: tidying would round other pushed values.
        return {
            name: after[name] if moved[name] != values[name] else values[name] for name in moved
        }

    def _is_about(self, knob: Knob) -> bool:
        if knob.kind is KnobKind.BLOCK:
            return self.add != 0
        names = (knob.api.rpartition(".")[2], re.sub(r"_\d+$", "", knob.name))
        return any(self.parameters.fullmatch(name) for name in names)

    def _moved(self, knob: Knob, value: KnobValue) -> KnobValue:
        if isinstance(knob.range, Choices):
            return self._chosen(knob.range, value)
        if isinstance(value, bool | str):
            return value
        if knob.kind is KnobKind.FLOAT:
            return value * self.scale
        step = round(value * self.scale) - value
        if step == 0 and self.scale != 1:
            step = 1 if self.scale > 1 else -1
        return value + step + self.add

    def _chosen(self, choices: Choices, value: KnobValue) -> KnobValue:
        spelled = {str(choice).lower(): choice for choice in choices.choices}
        return next((spelled[name] for name in self.choose if name in spelled), value)


def climb(
    space: Space,
    base: KnobValues,
    tried: Sequence[KnobValues],
    has_helped: Callable[[KnobValues, KnobValues], bool | None],
) -> dict[str, KnobValue] | None:
    """The next rung: the first move from `base` that has not failed and gives new values.

    Args:
        space: the knobs' space.
        base: the best values so far.
        tried: all values tried or being tried.
        has_helped: whether the second values were better than the first; None while unknown.

    Returns:
        The values, or None when the ladder ends.
    """
    known = {key_of(values): values for values in tried}
    rungs: list[tuple[int, int, dict[str, KnobValue]]] = []
    for place, move in enumerate(moves()):
        outcomes = _outcomes(move, space, known, has_helped)
        values = move(base, space)
        if all(outcomes) and key_of(values) not in known:
            rungs.append((len(outcomes), place, values))
    return min(rungs, key=lambda rung: rung[:2])[2] if rungs else None


def _outcomes(
    move: Move,
    space: Space,
    known: Mapping[tuple[tuple[str, str], ...], KnobValues],
    has_helped: Callable[[KnobValues, KnobValues], bool | None],
) -> list[bool | None]:
    """Whether the move helped, for each time that it was made."""
    found = []
    for before in known.values():
        after = known.get(key_of(move(before, space)))
        if after is not None and after is not before:
            found.append(has_helped(before, after))
    return found


@cache
def moves() -> tuple[Move, ...]:
    """The moves of ladder.toml, in their order."""
    raw = tomllib.loads((files("pushtrain.study") / "ladder.toml").read_text("utf-8"))
    return tuple(
        Move(
            row["name"],
            re.compile(row["parameters"]),
            row.get("scale", 1.0),
            row.get("add", 0),
            tuple(row.get("choose", ())),
        )
        for row in raw["move"]
    )
