"""One name for one thing: `tf.keras.layers.Dense` and `keras.layers.core.Dense` are the same.

The aliases are data (`names.toml`), and this module only applies them.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(files("pushtrain.code").joinpath("names.toml").read_text("utf-8"))


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(p["match"]), p["replace"]) for p in _data()["patterns"])


@lru_cache(maxsize=20_000)
def canonical(name: str) -> str:
    """The one dotted name of what `name` means.

    Example:
        >>> canonical("tensorflow.keras.layers.Dense")
        'keras.layers.Dense'
    """
    prefixes: dict[str, str] = _data()["prefixes"]
    for _ in range(4):  # an alias may lead to another one
        before = name
        head = name
        while head:
            if head in prefixes:
                name = prefixes[head] + name[len(head) :]
                break
            head = head.rpartition(".")[0]
        for pattern, replacement in _patterns():
            name = pattern.sub(replacement, name)
        if name == before:
            break
    return name


def exported(module: str, name: str) -> bool | None:
    """Whether `from module import *` brings `name`; None where that is not known."""
    names: dict[str, list[str]] = _data()["exports"]
    known = names.get(canonical(module))
    return None if known is None else name in known
