"""What must hold after any injury: a run that was disturbed against one that was not. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from chaos.outcome import Outcome

_OF_RESCUES = re.compile(r"runs/\*/(driver\.log|lease/\d+)")
"""Files that a run has only where someone came to its rescue."""


def problems(
    disturbed: Outcome, undisturbed: Outcome, *, costs_checkpoints: bool
) -> tuple[str, ...]:
    """What does not hold, in words; nothing where all is well.

    Args:
        disturbed: how the run ended.
        undisturbed: how it ends where nothing strikes it.
        costs_checkpoints: what had been saved was destroyed, and may have been trained again.
    """
    return (
        *_differences("verdict", disturbed.verdict, undisturbed.verdict),
        *_differences("trials", disturbed.trials, undisturbed.trials),
        *_differences("published", disturbed.published, undisturbed.published),
        *_files(disturbed, undisturbed),
        *(() if costs_checkpoints else _losses(disturbed)),
        *_mails(disturbed, undisturbed),
        *(f"a temporary file is left: {path}" for path in disturbed.temporary),
    )


def _differences(where: str, found: Any, expected: Any) -> Iterator[str]:
    """The innermost places that differ."""
    if isinstance(found, Mapping) and isinstance(expected, Mapping):
        for name in sorted({*found, *expected}, key=str):
            yield from _differences(f"{where}.{name}", found.get(name), expected.get(name))
    elif found != expected:
        yield f"{where} is {found!r:.300} and not {expected!r:.300}"


def _files(disturbed: Outcome, undisturbed: Outcome) -> Iterator[str]:
    for path in sorted(disturbed.files - undisturbed.files):
        if not _OF_RESCUES.fullmatch(path):
            yield f"a file is left: {path}"
    for path in sorted(undisturbed.files - disturbed.files):
        if not _OF_RESCUES.fullmatch(path):
            yield f"a file is missing: {path}"


def _losses(disturbed: Outcome) -> Iterator[str]:
    for number, ledger in disturbed.ledgers.items():
        if ledger is None:
            yield f"trial {number} does not say what it trained"
        elif ledger.lost:
            yield f"trial {number} trained {ledger.lost} saved epochs again: {ledger.entries}"


def _mails(disturbed: Outcome, undisturbed: Outcome) -> Iterator[str]:
    if disturbed.mails != undisturbed.mails:
        yield f"the mails are {disturbed.mails} and not {undisturbed.mails}"
