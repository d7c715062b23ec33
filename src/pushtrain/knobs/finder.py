"""Finding the knobs of a program: the literals that are hyperparameters by all their uses."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from pushtrain.code import Program
from pushtrain.entities import Detection, Knob, KnobKind
from pushtrain.errors import KnobError
from pushtrain.knobs.places import places
from pushtrain.knobs.rewriter import located_block, located_literal
from pushtrain.knobs.search import Search
from pushtrain.knobs.selection import selected
from pushtrain.settings import KnobSettings

_log = logging.getLogger(__name__)


def find_knobs(root: Path, detection: Detection, settings: KnobSettings) -> tuple[Knob, ...]:
    """The knobs of the program that `detection` found, in the order of the code.

    Nothing is imported or run. A literal is a knob when every use of it that can be followed is
    one as a hyperparameter (or harmless: printed, logged), and its file can be rewritten.

    Args:
        root: the tree.
        detection: which script runs; one that trains nothing has no knobs.
        settings: the repository's `[knobs]`.

    Raises:
        SourceError: the script is not a readable file of the tree.
        KnobError: the settings name a knob that is not there, or a range that does not suit.
    """
    found: list[Knob] = []
    if detection.trains:
        program = Program.read(root, detection.entry)
        found = _rewritable(root, Search(program, detection).knobs())
    return selected(_numbered(found), settings)


def _rewritable(root: Path, knobs: Sequence[Knob]) -> list[Knob]:
    """The knobs that stand where the rewriter finds them; a file that cannot be parsed without
    loss has none."""
    found: list[Knob] = []
    refused: set[str] = set()
    for knob in knobs:
        if knob.file in refused:
            continue
        try:
            file = places(knob.file, (root / knob.file).read_bytes())
        except (KnobError, OSError) as error:
            refused.add(knob.file)
            _log.warning("no knobs in %s: %s", knob.file, error)
            continue
        try:
            if knob.kind is KnobKind.BLOCK:
                located_block(file, knob)
            else:
                located_literal(file, knob)
        except KnobError as error:
            _log.debug("no knob: %s", error)
            continue
        found.append(knob)
    return found


def _numbered(knobs: Iterable[Knob]) -> list[Knob]:
    """The knobs with a name each: "units", "units_2", "units_3"."""
    seen: Counter[str] = Counter()
    found = []
    for knob in knobs:
        seen[knob.name] += 1
        count = seen[knob.name]
        found.append(knob if count == 1 else replace(knob, name=f"{knob.name}_{count}"))
    return found
