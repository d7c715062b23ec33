"""Numbers and strings for people."""

from __future__ import annotations

import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushtrain.entities import Direction, Objective
from pushtrain.telling.text import (
    duration,
    knob_value,
    measured,
    number,
    size,
    target,
    visible,
    visible_lines,
)

ANYTHING = st.text(st.characters(codec=None, exclude_categories=()), max_size=300)


@given(ANYTHING)
def test_visible_is_one_line_that_every_format_can_carry(text: str) -> None:
    shown = visible(text)
    assert not any(unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for c in shown)
    assert shown.encode("utf-8").decode("utf-8") == shown
    assert len(shown) <= 300


@given(ANYTHING)
def test_visible_lines_keeps_only_line_breaks_and_tabs(text: str) -> None:
    controls = {c for c in visible_lines(text) if unicodedata.category(c) == "Cc"}
    assert controls <= {"\n", "\t"}


def test_what_turns_the_reading_direction_is_seen() -> None:
    assert visible("safe\u202eexe.txt") == "safe\N{REPLACEMENT CHARACTER}exe.txt"


def test_what_is_too_long_says_so() -> None:
    assert visible("a" * 500, 10) == "aaaaaaaaa…"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.98222, "0.9822"),
        (0.5, "0.5"),
        (12.5, "12.5"),
        (0.0, "0"),
        (1.2345e9, "1.234e+09"),
        (1e-7, "1e-07"),
        (math.nan, "not a number"),
        (math.inf, "∞"),
        (None, "–"),
    ],
)
def test_numbers_are_short(value: float | None, shown: str) -> None:
    assert number(value) == shown


@given(st.floats(0.5, 0.999, allow_nan=False), st.floats(-1e-6, 1e-6))
def test_a_missed_target_never_looks_met(goal: float, distance: float) -> None:
    objective = Objective("accuracy", goal)
    value = goal + distance
    shown = measured(value, objective)
    if value != goal:
        assert shown != number(goal) or float(shown) != goal


def test_a_target_says_which_way() -> None:
    assert target(Objective("accuracy", 0.97)) == "≥ 0.97"
    assert target(Objective("rmse", 0.5, Direction.MINIMIZE)) == "≤ 0.5"


def test_durations_sizes_and_knob_values() -> None:
    assert [duration(s) for s in (0.42, 42, 185, 7800)] == [
        "0.4 s",
        "42 s",
        "3 min 05 s",
        "2 h 10 min",
    ]
    assert [size(n) for n in (12, 1536, 3 * 1024**3)] == ["12 B", "1.5 KiB", "3.0 GiB"]
    assert [knob_value(v) for v in (None, True, 64, 0.1 + 0.2, "relu")] == [
        "–",
        "True",
        "64",
        "0.3",
        "relu",
    ]
