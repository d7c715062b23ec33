"""What is packed comes back exactly, into whatever already holds it; all else is refused."""

from __future__ import annotations

import collections
import json
import math
import random
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pushtrain.worker.adapters.packing import Packing, Refused, unpacked


def through(value: Any, known: Any = None) -> Any:
    """Packed, through JSON and bytes, and back."""
    packing = Packing()
    packed = json.loads(json.dumps(packing.put(value), allow_nan=False))
    blobs = {name: memoryview(bytearray(blob)) for name, blob in packing.blobs.items()}
    return unpacked(packed, blobs, known)


hashable = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
plain = st.recursive(
    hashable | st.binary() | st.sets(st.integers()) | st.frozensets(st.text()),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(hashable, inner, max_size=3)
        | st.lists(inner, max_size=3).map(collections.deque)
    ),
    max_leaves=10,
)


@given(plain)
def test_plain_values(value: Any) -> None:
    found = through(value)
    assert found == value
    assert type(found) is type(value)


@given(
    arrays.arrays(
        st.sampled_from(["f2", "f4", ">f8", "i1", "u8", "?", "c8", "U3", "M8[s]"]),
        arrays.array_shapes(min_dims=0, min_side=0),
    )
)
def test_arrays(value: Any) -> None:
    found = through(value)
    assert (found.dtype, found.shape, found.tobytes()) == (
        value.dtype,
        value.shape,
        value.tobytes(),
    )


def test_numbers_that_are_not_finite() -> None:
    assert math.isnan(through(math.nan))
    assert through([math.inf, -math.inf]) == [math.inf, -math.inf]


def test_scalars_of_numpy_keep_their_type() -> None:
    found = through(numpy.float32(0.1))
    assert (type(found), found) == (numpy.float32, numpy.float32(0.1))


@pytest.mark.parametrize(
    ("value", "known"),
    [
        ([1, 2], [9]),
        ({"a": 1}, collections.defaultdict(list, b=2)),
        ({1, 2}, {3}),
        (collections.deque([1]), collections.deque([5, 6], maxlen=4)),
        (numpy.arange(3.0), numpy.zeros(3)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_whoever_holds_it_has_the_value_as_well(value: Any, known: Any) -> None:
    assert through(value, known) is known
    assert list(known) == list(value)


def test_kinds_of_dictionaries() -> None:
    made = through(collections.defaultdict(list, a=[1]))
    assert made["b"] == []
    assert isinstance(through(collections.Counter("aab")), collections.Counter)
    assert isinstance(through(collections.OrderedDict(a=1)), collections.OrderedDict)


@pytest.mark.parametrize(
    "make",
    [
        lambda: random.Random(3),
        lambda: numpy.random.default_rng(3),
        lambda: numpy.random.RandomState(3),
    ],
)
def test_generators_go_on_where_they_were(make: Any) -> None:
    generator = make()
    generator.random()
    packing = Packing()
    packed, expected = packing.put(generator), generator.random()
    assert unpacked(packed, packing.blobs).random() == expected
    known = make()
    assert unpacked(packed, packing.blobs, known) is known
    assert known.random() == expected


def test_functions_and_classes_are_found_again() -> None:
    assert through([math.sqrt, numpy.less, collections.deque, json.dumps]) == [
        math.sqrt,
        numpy.less,
        collections.deque,
        json.dumps,
    ]


def endless() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    "value",
    [
        lambda: 1,
        object(),
        open,
        endless(),
        numpy.array([object()]),
        [{"a": iter(())}],
        random.SystemRandom(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_cannot_be_had_back_is_refused(value: Any) -> None:
    if value is open:
        value = (number for number in range(3))
    with pytest.raises(Refused):
        Packing().put(value)


@pytest.mark.parametrize(
    "packed", [{"evil": 1}, {"address": ["os", "nothing"]}, {"variable": ["0", "<f4", [0]]}]
)
def test_what_was_never_packed_is_refused(packed: Any) -> None:
    with pytest.raises(Refused):
        unpacked(packed, {"0": b""})
