"""From a pushed value to a range around it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushtrain.entities import Choices, Interval, Knob, KnobKind, KnobValue
from pushtrain.errors import KnobError
from pushtrain.knobs.catalog import Rule, catalog
from pushtrain.knobs.ranges import around, common, fits, override, tidy
from pushtrain.settings import KnobRange

RULES = catalog().rules
NUMERIC = sorted(
    name for name, rule in RULES.items() if rule.kind in {KnobKind.INTEGER, KnobKind.FLOAT}
)


@given(st.sampled_from(NUMERIC), st.integers(0, 5000) | st.floats(0, 1e5))
def test_a_range_contains_the_pushed_value(name: str, value: float) -> None:
    rule = RULES[name]
    if not fits(value, rule):
        return
    span = around(value, rule, features=30)
    if span is None:
        return
    assert isinstance(span, Interval)
    assert span.low <= value <= span.high
    assert span.low < span.high
    if rule.kind is KnobKind.INTEGER:
        assert isinstance(span.low, int)
        assert isinstance(span.high, int)
    if span.log:
        assert span.low > 0


@pytest.mark.parametrize(
    ("rule", "value", "span"),
    [
        ("units", 32, Interval(8, 256, log=True)),
        ("units", 2, Interval(2, 16, log=True)),
        ("units", 4096, Interval(1024, 4096, log=True)),
        ("dropout", 0.5, Interval(0.0, 0.6)),
        ("dropout", 0.8, Interval(0.0, 0.8)),
        ("epochs", 5, Interval(5, 40, log=True)),
        ("epochs", 150, Interval(150, 200, log=True)),
        ("epochs", 300, None),
        ("learning_rate", 0.001, Interval(3.34e-05, 0.03, log=True)),
        ("kernel", 3, Interval(2, 7)),
        ("power", 2, Interval(1, 3)),
        ("switch", True, Choices((False, True))),
        ("activation", "relu", Choices(("relu", "elu", "tanh", "selu"))),
        ("activation", "sigmoid", Choices(("sigmoid", "relu", "elu", "tanh", "selu"))),
        ("optimizer", "adadelta", Choices(("adadelta", "adam", "rmsprop", "sgd"))),
        ("optimizer", "Adam", None),
        ("components", 2, Interval(1, 8)),
    ],
)
def test_ranges(rule: str, value: KnobValue, span: Interval | Choices | None) -> None:
    assert fits(value, RULES[rule])
    assert around(value, RULES[rule], features=30) == span


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ("units", 0),
        ("units", -1),
        ("units", 32.0),
        ("units", True),
        ("units", "32"),
        ("dropout", -0.1),
        ("dropout", float("nan")),
        ("switch", 1),
        ("activation", "softmax"),
        ("activation", "linear"),
        ("optimizer", "my_own"),
        ("strength", 0.0),
    ],
)
def test_values_that_a_rule_cannot_turn(rule: str, value: object) -> None:
    assert not fits(value, RULES[rule])


def test_components_stay_below_the_features() -> None:
    assert around(3, RULES["components"], features=8) == Interval(2, 4)
    assert around(3, RULES["components"], features=None) == Interval(2, 3)


def test_no_room_makes_no_range() -> None:
    rule = Rule(kind=KnobKind.INTEGER, factors=(1, 2), within=(1, 5))
    assert around(5, rule) is None
    assert around("only", Rule(kind=KnobKind.CATEGORICAL, choices=("only",))) is None


def test_what_two_ranges_share() -> None:
    assert common(Interval(1, 8, log=True), Interval(4, 16, log=True)) == Interval(4, 8, log=True)
    assert common(Interval(1, 8, log=True), Interval(0, 4)) == Interval(1, 4)
    assert common(Interval(1, 4), Interval(4, 8)) is None
    assert common(Choices(("a", "b", "c")), Choices(("c", "a"))) == Choices(("a", "c"))
    assert common(Choices(("a", "b")), Choices(("b",))) is None
    assert common(Choices(("a", "b")), Interval(0, 1)) is None


@pytest.mark.parametrize(
    ("value", "text"), [(0.0031847, "0.00318"), (123456.0, "123000.0"), (0.5, "0.5"), (0.0, "0.0")]
)
def test_tidy(value: float, text: str) -> None:
    assert repr(tidy(value)) == text
    assert str(tidy(float("inf"))) == "inf"


# --- ranges from the settings --------------------------------------------------------------------

UNITS = Knob("units", KnobKind.INTEGER, "a.py", 3, 0, 32, Interval(8, 256, log=True), "x.units")
RATE = Knob("lr", KnobKind.FLOAT, "a.py", 3, 0, 0.01, Interval(1e-4, 0.1, log=True), "x.lr")
KIND = Knob("act", KnobKind.CATEGORICAL, "a.py", 3, 0, "relu", Choices(("relu", "elu")), "x.a")
BLOCK = Knob("dense_block", KnobKind.BLOCK, "a.py", 3, 0, 1, Interval(1, 3), "keras.layers.LSTM")


@pytest.mark.parametrize(
    ("knob", "wish", "span"),
    [
        (UNITS, KnobRange(low=16, high=64), Interval(16, 64, log=True)),
        (UNITS, KnobRange(low=64, high=128), Interval(32, 128, log=True)),
        (UNITS, KnobRange(high=64, log=False), Interval(8, 64)),
        (UNITS, KnobRange(choices=(16, 64)), Choices((32, 16, 64))),
        (RATE, KnobRange(low=0, high=1), Interval(0, 1)),
        (RATE, KnobRange(choices=(1, 0.1)), Choices((0.01, 1.0, 0.1))),
        (KIND, KnobRange(choices=("gelu", "relu")), Choices(("relu", "gelu"))),
        (BLOCK, KnobRange(high=6), Interval(1, 6)),
    ],
)
def test_wishes(knob: Knob, wish: KnobRange, span: Interval | Choices) -> None:
    assert override(knob, wish) == span


@pytest.mark.parametrize(
    ("knob", "wish", "why"),
    [
        (UNITS, KnobRange(low=64, high=16), "no interval"),
        (UNITS, KnobRange(low=1.5), "no whole numbers"),
        (UNITS, KnobRange(choices=("a",)), "its choices are str; give int values"),
        (UNITS, KnobRange(choices=(16,), low=3), "choices stand alone"),
        (UNITS, KnobRange(choices=()), "choices stand alone"),
        (RATE, KnobRange(low=-1, log=True), "log needs ends above 0"),
        (RATE, KnobRange(high=float("inf")), "no interval"),
        (KIND, KnobRange(low=1, high=2), "it has choices, not ends"),
        (BLOCK, KnobRange(low=0), "the model breaks"),
        (BLOCK, KnobRange(choices=(0, 2)), "the model breaks"),
    ],
)
def test_wishes_that_do_not_suit(knob: Knob, wish: KnobRange, why: str) -> None:
    with pytest.raises(KnobError, match=r"\[knobs.ranges\] .* at a.py:3\)") as caught:
        override(knob, wish)
    assert why in str(caught.value)
