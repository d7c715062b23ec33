"""Text for people: numbers, durations and sizes, and strings from strangers made harmless."""

from __future__ import annotations

import math
import unicodedata

from pushtrain.entities import Direction, KnobValue, Objective

_KEPT = frozenset("\n\t")
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Control, format (bidirectional marks, zero widths), surrogate, private and unassigned."""


def visible(text: str, most: int = 300) -> str:
    """`text` as one harmless line of at most `most` characters.

    Whatever cannot be seen or turns the reading direction becomes U+FFFD, so that what is shown
    is what is there; the result is valid in UTF-8, XML 1.0 and a mail's header.
    """
    line = "".join(_shown(c) for c in text[: 4 * most] if c not in "\r").replace("\t", " ")
    line = " ".join(line.split("\n")).strip()
    return line if len(line) <= most and len(text) <= 4 * most else line[: most - 1] + "…"


def visible_lines(text: str, most: int = 20_000) -> str:
    """`text` with its line breaks and tabs kept, everything else as `visible` has it."""
    shown = "".join(_shown(c) for c in text[:most].replace("\r\n", "\n").replace("\r", "\n"))
    return shown if len(text) <= most else shown + "\n…"


def _shown(character: str) -> str:
    if character in _KEPT or unicodedata.category(character) not in _HIDDEN:
        return character
    return "\N{REPLACEMENT CHARACTER}"


def number(value: float | None) -> str:
    """A value to four places that count: 0.9812, 12.5, 1.235e+09; a dash for None."""
    if value is None:
        return "–"
    if math.isnan(value):
        return "not a number"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    if not 1e-4 <= abs(value) < 1e6:
        return f"{value:.4g}"
    return _trimmed(f"{value:.4f}" if abs(value) < 10 else f"{value:.6g}")


def measured(value: float | None, objective: Objective | None) -> str:
    """A value beside its target: with so many places that a missed target looks missed."""
    short = number(value)
    if value is None or objective is None or not math.isfinite(value):
        return short
    if value == objective.target or short != number(objective.target):
        return short
    candidates = (f"{value:.{places}g}" for places in range(4, 18))
    return next((text for text in candidates if float(text) != objective.target), repr(value))


def target(objective: Objective) -> str:
    """The target with its sign: ≥ 0.97."""
    sign = "≥" if objective.direction is Direction.MAXIMIZE else "≤"
    return f"{sign} {objective.target:.12g}"


def knob_value(value: KnobValue | None) -> str:
    """A knob's value as the source would write it, shortened; a dash for None."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.6g}"
    return visible(str(value), 60)


def size(count: int) -> str:
    """Bytes for people: 1.5 GiB."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def duration(seconds: float) -> str:
    """Seconds for people: 0.4 s, 42 s, 3 min 05 s, 2 h 10 min."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def _trimmed(digits: str) -> str:
    return digits.rstrip("0").rstrip(".") if "." in digits else digits
