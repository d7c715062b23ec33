"""What the settings make of the knobs: which are turned, and how far."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from pushtrain.entities import Knob
from pushtrain.errors import KnobError
from pushtrain.knobs.ranges import override
from pushtrain.settings import KnobSettings

_WILD = frozenset("*?[")


def selected(knobs: Sequence[Knob], settings: KnobSettings) -> tuple[Knob, ...]:
    """The knobs that `[knobs]` asks for, with the ranges that it sets.

    A pattern may match nothing; a plain name must be that of a knob.

    Raises:
        KnobError: a name is unknown, or a range does not suit its knob.
    """
    names = [knob.name for knob in knobs]
    for key, patterns in (
        ("include", settings.include),
        ("exclude", settings.exclude),
        ("ranges", settings.ranges),
    ):
        for pattern in patterns:
            if pattern not in names and not _WILD & set(pattern):
                raise _unknown(key, pattern, names)
    kept = [
        knob
        for knob in knobs
        if _is_among(knob.name, settings.include) and not _is_among(knob.name, settings.exclude)
    ]
    return tuple(_ranged(knob, settings) for knob in kept)


def _ranged(knob: Knob, settings: KnobSettings) -> Knob:
    """The knob with its range as set: by its own name, else by the first pattern."""
    wishes = settings.ranges
    wish = wishes.get(knob.name) or next(
        (wish for pattern, wish in wishes.items() if fnmatchcase(knob.name, pattern)), None
    )
    return replace(knob, range=override(knob, wish)) if wish is not None else knob


def _is_among(name: str, patterns: Iterable[str]) -> bool:
    return any(name == pattern or fnmatchcase(name, pattern) for pattern in patterns)


def _unknown(key: str, name: str, names: Sequence[str]) -> KnobError:
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if near:
        hint = f"did you mean {' or '.join(near)}?"
    elif names:
        hint = f"there are: {', '.join(names)}"
    else:
        hint = "no knob was found in the code"
    return KnobError(f"[knobs] {key}: no knob is called {name}", hint=hint, knob=name, nearest=near)
