"""Following a run that another process works on."""

from __future__ import annotations

import time

from pushtrain.cli.progress import Progress
from pushtrain.entities import RunState, Verdict
from pushtrain.store import LiveRun, RunFolder

_LOOK = 0.5
"""Seconds between two looks at the journal."""
_PATIENCE = 6
"""Looks for which a run may be without a driver: one that has just begun takes its lock soon."""


def follow(folder: RunFolder, progress: Progress) -> Verdict | None:
    """Shows a run until its driver has published its verdict; None when the driver died before.

    Args:
        folder: the run.
        progress: shows what has happened so far, and then what happens.
    """
    live = LiveRun(folder, (progress.on_entry,), replay=True)
    alone, told = 0, 0
    while alone < _PATIENCE and (live.record.verdict is None or folder.is_driven):
        alone = 0 if folder.is_driven else alone + 1
        time.sleep(_LOOK)
        live.refresh()
        if live.record.state is RunState.BUILDING:
            told = _tell_build(folder, told, progress)
    return live.refresh().verdict


def _tell_build(folder: RunFolder, told: int, progress: Progress) -> int:
    """Shows what the build has said since; gives how many lines that is in all."""
    try:
        lines = folder.build_log.read_text("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return told
    for line in lines[told:]:
        progress.on_line(line)
    return len(lines)
