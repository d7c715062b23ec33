"""The table of metrics holds together, and its names are found under every spelling."""

from __future__ import annotations

import tomllib
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushtrain.entities import Direction
from pushtrain.metrics import canonical, direction_of, known

TABLE = tomllib.loads((files("pushtrain") / "metrics.toml").read_text("utf-8"))


def test_no_name_stands_twice() -> None:
    names = [name for metric, row in TABLE.items() for name in (metric, *row["aliases"])]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", TABLE)
def test_every_alias_leads_to_its_metric(name: str) -> None:
    for alias in (name, *TABLE[name]["aliases"]):
        for spelled in (alias, alias.upper(), f"val_{alias}", alias.replace("_", "-")):
            assert canonical(spelled) == name
    metric = known(name)
    assert metric is not None
    assert metric.low < metric.high


@pytest.mark.parametrize(
    ("name", "direction", "is_known"),
    [
        ("MeanSquaredError", Direction.MINIMIZE, True),
        ("mean_squared_error_1", Direction.MINIMIZE, True),
        ("neg_mean_squared_error", Direction.MAXIMIZE, True),
        ("word_error", Direction.MINIMIZE, True),
        ("lossless", Direction.MAXIMIZE, False),
        ("reward", Direction.MAXIMIZE, False),
    ],
)
def test_directions(name: str, direction: Direction, is_known: bool) -> None:
    assert direction_of(name) == (direction, is_known)


@given(st.text())
def test_any_text_has_one_canonical_name(name: str) -> None:
    once = canonical(name)
    assert canonical(once) == once
