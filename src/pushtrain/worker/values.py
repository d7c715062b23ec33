"""What a script's values are, once they are JSON's: numbers, texts, lists and tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_MOST_ITEMS, _MOST_TEXT = 500, 2000


def number(value: object) -> float | None:
    """A float of whatever stands for one number (NumPy's, a tensor), or None."""
    try:
        return float(value)  # type: ignore[arg-type]
    except Exception:
        return None


def plain(value: Any, depth: int = 6) -> object:
    """A bounded copy of a value made of what JSON knows; of anything else its text."""
    if value is None or type(value) in (bool, int, float):
        return value
    if isinstance(value, str):
        return str(value)[:_MOST_TEXT]
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        return plain(value.item(), 0)
    if depth and isinstance(value, Mapping):
        items = list(value.items())[:_MOST_ITEMS]
        return {str(name)[:_MOST_TEXT]: plain(item, depth - 1) for name, item in items}
    if depth and isinstance(value, (list, tuple, set, frozenset, range)):
        return [plain(item, depth - 1) for item in list(value)[:_MOST_ITEMS]]
    return text(value)[:_MOST_TEXT]


def text(value: object) -> str:
    """The text of a value, which may not know how to give one."""
    try:
        return str(value)
    except Exception:
        return f"<{type(value).__name__}>"
