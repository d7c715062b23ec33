"""How values are written: in the manner of the literal whose place they take."""

from __future__ import annotations

import ast
import warnings
from decimal import Decimal

from pushtrain.entities import KnobValue

_PLAIN_FROM, _PLAIN_TO = -5, 16
"""Decimal exponents between which a float is written without one, where the literal had none."""


def read(text: str) -> KnobValue | None:
    """The value of a literal's text; None where it is no number, bool or string."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an escape that means nothing
            value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return value if isinstance(value, bool | int | float | str) else None


def write(value: KnobValue, like: str) -> str:
    """`value` as a Python literal that reads back as exactly that value.

    Args:
        value: what to write.
        like: the literal whose place it takes. Its underscores, base, exponent sign and quotes
            are kept where the value allows.
    """
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, str):
        return value if like.isidentifier() else _string(value, like)  # the name of a class
    return _integer(value, like) if isinstance(value, int) else _float(value, like)


def _integer(value: int, like: str) -> str:
    prefix = like.lstrip("-+ ")[:2]
    form = {"0x": "#x", "0X": "#X", "0o": "#o", "0b": "#b"}.get(prefix)
    if form is not None:
        return format(value, form)
    return f"{value:_}" if "_" in like else str(value)


def _float(value: float, like: str) -> str:
    exact = Decimal(repr(value))
    exponent = exact.adjusted()
    sign = next((letter for letter in like if letter in "eE"), None)
    if sign is None and (_PLAIN_FROM <= exponent < _PLAIN_TO or not exact):
        text = format(exact, "f")
        return text if "." in text else f"{text}.0"
    digits = "".join(map(str, exact.as_tuple().digits)).rstrip("0") or "0"
    mantissa = digits if len(digits) == 1 else f"{digits[0]}.{digits[1:]}"
    return f"{'-' if value < 0 else ''}{mantissa}{sign or 'e'}{exponent}"


def _string(value: str, like: str) -> str:
    prefix = like[: len(like) - len(like.lstrip("rRuUbB"))]
    quote = like[len(prefix) : len(prefix) + 3]
    if quote not in ('"""', "'''"):
        quote = quote[:1]
    text = f"{prefix}{quote}{value}{quote}"
    return text if quote and read(text) == value else repr(value)
