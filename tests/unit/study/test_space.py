"""What may stand in the source."""

from __future__ import annotations

import math
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushtrain.entities import Choices, Interval, Knob, KnobKind, KnobValue
from pushtrain.study.space import Space, key_of, signature


def knob(
    name: str,
    kind: KnobKind,
    value: KnobValue,
    span: Interval | Choices,
    *,
    api: str = "api.x",
    line: int = 1,
) -> Knob:
    return Knob(name, kind, "train.py", line, 0, value, span, api)


UNITS = knob("units", KnobKind.INTEGER, 37, Interval(5, 300, log=True))
KERNEL = knob("kernel", KnobKind.INTEGER, 3, Interval(3, 9, step=2))
RATE = knob("rate", KnobKind.FLOAT, 0.00081234, Interval(1e-5, 0.1, log=True))
SHARE = knob("share", KnobKind.FLOAT, 0.25, Interval(0.0, 0.6))
OPTIMIZER = knob("optimizer", KnobKind.CATEGORICAL, "sgd", Choices(("sgd", "adam")))
SWITCH = knob("switch", KnobKind.BOOLEAN, True, Choices((False, True)))
BLOCKS = knob("blocks", KnobKind.BLOCK, 1, Interval(0, 3))
ALL = (UNITS, KERNEL, RATE, SHARE, OPTIMIZER, SWITCH, BLOCKS)
PUSHED = {each.name: each.value for each in ALL}


def tidy(which: Knob, value: KnobValue) -> KnobValue:
    return Space(ALL).tidy({**PUSHED, which.name: value})[which.name]


@pytest.mark.parametrize(
    ("which", "drawn", "stands"),
    [
        (UNITS, 130, 128),
        (UNITS, 44, 48),
        (UNITS, 37, 37),
        (UNITS, 299, 300),
        (KERNEL, 4, 3),
        (KERNEL, 8, 7),
        (RATE, 0.00123456, 0.00123),
        (SHARE, 0.5999999, 0.6),
        (BLOCKS, 2, 2),
        (OPTIMIZER, "adam", "adam"),
        (SWITCH, False, False),
    ],
)
def test_values_are_rounded_as_people_round(
    which: Knob, drawn: KnobValue, stands: KnobValue
) -> None:
    found = tidy(which, drawn)
    assert found == stands
    assert type(found) is type(which.value)


@given(st.floats(1e-5, 0.1), st.integers(5, 300))
def test_tidy_values_stay_inside_and_stay_tidy(rate: float, units: int) -> None:
    space = Space(ALL)
    once = space.tidy({**PUSHED, "rate": rate, "units": units})
    assert space.fits(once)
    assert space.tidy(once) == once
    assert float(repr(once["rate"])) == once["rate"]


def test_all_tells_every_combination_once() -> None:
    space = Space((KERNEL, OPTIMIZER, SWITCH))
    every = [key_of(values) for values in space.all() or ()]
    assert len(every) == len(set(every)) == 4 * 2 * 2
    assert key_of(space.pushed) in every


def test_a_float_makes_too_many() -> None:
    assert Space((KERNEL, SHARE)).all() is None


def test_a_huge_range_costs_nothing_until_it_is_walked() -> None:
    wide = [knob(f"n{i}", KnobKind.INTEGER, 8, Interval(1, 4096, log=True)) for i in range(12)]
    assert len(list(islice(Space(wide).all() or (), 3))) == 3


def test_true_is_not_one() -> None:
    assert key_of({"x": True}) != key_of({"x": 1}) != key_of({"x": 1.0})


@pytest.mark.parametrize(
    ("change", "adopted"),
    [
        ({"units": 1000}, {"units": 300}),
        ({"share": 0.9}, {"share": 0.6}),
        ({"rate": 1e-9}, {"rate": 1e-5}),
        ({"optimizer": "rmsprop"}, None),
        ({"switch": 1}, None),
        ({"units": "many"}, None),
        ({"rate": math.nan}, None),
        ({"rate": math.inf}, None),
    ],
)
def test_values_of_other_ranges_are_clipped_or_refused(
    change: dict[str, KnobValue], adopted: dict[str, KnobValue] | None
) -> None:
    values = {**PUSHED, **change}
    expected = None if adopted is None else {**PUSHED, **adopted}
    assert Space(ALL).adopt(values) == expected
    assert not Space(ALL).fits(values)


def test_values_of_other_knobs_are_refused() -> None:
    assert Space((UNITS,)).adopt({"units": 8, "extra": 1}) is None
    assert Space((UNITS,)).adopt({}) is None


def test_a_signature_does_not_depend_on_lines_values_or_ranges() -> None:
    moved = knob("units", KnobKind.INTEGER, 64, Interval(8, 512), line=99)
    assert signature((UNITS, RATE)) == signature((RATE, moved))
    renamed = knob("units", KnobKind.INTEGER, 37, UNITS.range, api="other.api")
    assert signature((UNITS,)) != signature((renamed,))
