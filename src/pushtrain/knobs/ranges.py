"""From a value as pushed to the range in which better ones are searched."""

from __future__ import annotations

import math

from pushtrain.entities import Choices, Interval, Knob, KnobKind, KnobValue
from pushtrain.errors import KnobError
from pushtrain.knobs.catalog import Rule
from pushtrain.settings import KnobRange

_DIGITS = 3


def tidy(value: float) -> float:
    """A float as people write one: three significant digits (0.0031847 is 0.00318).

    Whoever proposes values rounds them first, so that the text in the source and the value that
    is learnt from are the same number.
    """
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else value


def fits(value: object, rule: Rule) -> bool:
    """Whether a literal is one that the rule can turn."""
    if rule.kind is KnobKind.CATEGORICAL:
        return value in rule.choices or value in rule.others
    if rule.kind is KnobKind.BOOLEAN:
        return isinstance(value, bool)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return False
    if rule.kind is KnobKind.INTEGER and not isinstance(value, int):
        return False
    return value > 0 if rule.factors else value >= 0


def around(value: KnobValue, rule: Rule, features: int | None = None) -> Interval | Choices | None:
    """The range of `rule` around `value`, which it contains; None where there is no room.

    Args:
        value: the value as pushed; it `fits` the rule.
        rule: how to make the range.
        features: how many features the data has, where that is known and the rule asks for it.
    """
    if rule.kind is KnobKind.BOOLEAN:
        return Choices((False, True))
    if rule.kind is KnobKind.CATEGORICAL:
        pool = (value, *rule.choices) if _same_case(value, rule) else (value,)
        return Choices(tuple(dict.fromkeys(pool))) if len(set(pool)) > 1 else None
    assert isinstance(value, int | float)
    low, high = _ends(value, rule)
    if rule.features:
        high = min(high, features // 2 if features else value)
    low, high = min(low, value), max(high, value)
    if rule.kind is KnobKind.INTEGER:
        low, high = math.ceil(low), math.floor(high)
    else:
        low, high = float(min(tidy(low), value)), float(max(tidy(high), value))
    return Interval(low, high, log=rule.log and low > 0) if low < high else None


def common(one: Interval | Choices, other: Interval | Choices) -> Interval | Choices | None:
    """What two ranges around one value share; None where that is the value alone."""
    if isinstance(one, Choices) and isinstance(other, Choices):
        shared = tuple(choice for choice in one.choices if choice in other.choices)
        return Choices(shared) if len(shared) > 1 else None
    if isinstance(one, Choices) or isinstance(other, Choices):
        return None
    low, high = max(one.low, other.low), min(one.high, other.high)
    return Interval(low, high, log=one.log and other.log and low > 0) if low < high else None


def _ends(value: float, rule: Rule) -> tuple[float, float]:
    if rule.span is not None:
        return rule.span
    assert rule.factors is not None
    least, most = rule.within or (-math.inf, math.inf)
    return max(value * rule.factors[0], least), min(value * rule.factors[1], most)


def _same_case(value: KnobValue, rule: Rule) -> bool:
    """Choices are spelled one way; a value of another spelling ("Adam") keeps to itself."""
    return bool(rule.choices) and str(value)[:1].isupper() == rule.choices[0][:1].isupper()


def override(knob: Knob, wish: KnobRange) -> Interval | Choices:
    """The range that the settings ask for, widened where it must be to contain the pushed value.

    Raises:
        KnobError: the wish does not suit the knob.
    """
    if wish.choices is not None:
        return _chosen(knob, wish)
    if not isinstance(knob.range, Interval):
        raise _unsuited(knob, "it has choices, not ends", "give a list of choices")
    low = knob.range.low if wish.low is None else wish.low
    high = knob.range.high if wish.high is None else wish.high
    log = knob.range.log if wish.log is None else wish.log
    value = knob.value
    assert isinstance(value, int | float)
    if low > high or not (math.isfinite(low) and math.isfinite(high)):
        raise _unsuited(knob, f"{low:g} to {high:g} is no interval", "give the lower end first")
    if knob.kind is not KnobKind.FLOAT and (low != int(low) or high != int(high)):
        raise _unsuited(knob, "its ends are no whole numbers", "give whole numbers")
    if knob.kind is KnobKind.BLOCK and low < knob.range.low:
        raise _unsuited(knob, f"below {knob.range.low} the model breaks", "raise the lower end")
    low, high = min(low, value), max(high, value)
    if wish.log and low <= 0:
        raise _unsuited(knob, "log needs ends above 0", "raise the lower end or drop log")
    if knob.kind is not KnobKind.FLOAT:
        low, high = int(low), int(high)
    return Interval(low, high, log=log and low > 0)


def _chosen(knob: Knob, wish: KnobRange) -> Choices:
    if wish.low is not None or wish.high is not None or wish.log is not None or not wish.choices:
        raise _unsuited(knob, "choices stand alone", "give choices, or low and high")
    if knob.kind is KnobKind.FLOAT:
        wishes = tuple(
            float(c) if isinstance(c, int) and not isinstance(c, bool) else c for c in wish.choices
        )
    else:
        wishes = wish.choices
    kinds = {type(choice) for choice in wishes}
    if kinds != {type(knob.value)}:
        found = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise _unsuited(
            knob, f"its choices are {found}", f"give {type(knob.value).__name__} values"
        )
    if knob.kind is KnobKind.BLOCK and isinstance(knob.range, Interval):
        low = knob.range.low
        if any(isinstance(choice, int) and choice < low for choice in wishes):
            raise _unsuited(knob, f"below {low:g} the model breaks", "leave those choices out")
    return Choices(tuple(dict.fromkeys((knob.value, *wishes))))


def _unsuited(knob: Knob, why: str, hint: str) -> KnobError:
    return KnobError(
        f"[knobs.ranges] {knob.name} ({knob.value!r} at {knob.file}:{knob.line}): {why}",
        hint=hint,
        knob=knob.name,
    )
