"""Literals read back as the value that was written, in the manner of the one before."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushtrain.entities import KnobValue
from pushtrain.knobs.literals import read, write

LIKE_INTEGER = st.sampled_from(["32", "1_000", "0x20", "0X20", "0b1", "0o17", "+3"])
LIKE_FLOAT = st.sampled_from(["0.5", "1e-3", "1E-3", ".5", "5.", "1_0.0", "0.0001", "32"])
LIKE_STRING = st.sampled_from(["'a'", '"a"', "'''a'''", '"""a"""', "r'a'", "u'a'", 'B"a"'])


@given(st.integers(0, 10**12), LIKE_INTEGER)
def test_whole_numbers(value: int, like: str) -> None:
    back = read(write(value, like))
    assert back == value
    assert type(back) is int


@given(st.floats(0, allow_nan=False, allow_infinity=False), LIKE_FLOAT)
def test_floats_are_exact(value: float, like: str) -> None:
    back = read(write(value, like))
    assert back == value
    assert type(back) is float


@given(st.text(max_size=20), LIKE_STRING)
def test_strings_are_never_more_than_strings(value: str, like: str) -> None:
    assert read(write(value, like)) == value


@pytest.mark.parametrize(
    ("value", "like", "text"),
    [
        (64, "32", "64"),
        (2000, "1_000", "2_000"),
        (48, "0x20", "0x30"),
        (0.25, "0.5", "0.25"),
        (0.00318, "0.001", "0.00318"),
        (0.003, "1e-3", "3e-3"),
        (0.003, "1E-3", "3E-3"),
        (1.25e-7, "0.5", "1.25e-7"),
        (1.0, "0.5", "1.0"),
        (0.0, "0.5", "0.0"),
        (100.0, "1.0", "100.0"),
        (0.5, "1", "0.5"),
        ("elu", "'relu'", "'elu'"),
        ("elu", '"relu"', '"elu"'),
        ("SGD", "Adam", "SGD"),
        (True, "False", "True"),
        (False, "True", "False"),
    ],
)
def test_people_would_write_it_so(value: KnobValue, like: str, text: str) -> None:
    assert write(value, like) == text


@pytest.mark.parametrize("text", ["x", "[1]", "b'x'", "None", "1 +", "(1)" * 3, "1j"])
def test_other_things_are_no_values(text: str) -> None:
    assert read(text) is None
