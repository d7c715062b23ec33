"""The data files beside the rules."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Sequence
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def load(name: str) -> dict[str, Any]:
    """The TOML file `name` ("frameworks/keras.toml") of this package."""
    return tomllib.loads(files("pushtrain.detect").joinpath(name).read_text("utf-8"))


@cache
def pattern(*alternatives: str) -> re.Pattern[str]:
    """One regular expression for any of the shell-like patterns over dotted names.

    `*` stands for one part of a name or of it a piece, `**` for any number of parts.
    """
    return re.compile("|".join(_expression(text) for text in alternatives) or r"(?!)")


def matcher(alternatives: Sequence[str]) -> Callable[[str], object]:
    """Whether a dotted name fits one of the patterns, whole."""
    return pattern(*alternatives).fullmatch


def _expression(text: str) -> str:
    escaped = re.escape(text).replace(r"\*\*", ".*").replace(r"\*", r"[^.]*")
    return f"(?:{escaped})"
