"""Following a run that another process works on."""

from __future__ import annotations

import time
from typing import Protocol

from pushtrain.cli.progress import Progress
from pushtrain.entities import RunState, Verdict
from pushtrain.store import LiveRun, RunFolder

_LOOK = 0.5
"""Seconds between two looks at the journal."""
_PATIENCE = 6
"""Looks for which a run may be without a driver: one that has just begun takes its lock soon."""


class Driver(Protocol):
    """A process that drives a run, or is about to."""

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""


class Follower:
    """Shows a run, from its first event on; each event once, however often it is followed.

    Args:
        folder: the run.
        progress: shows what has happened so far, and then what happens.
    """

    def __init__(self, folder: RunFolder, progress: Progress) -> None:
        self._folder = folder
        self._progress = progress
        self._live = LiveRun(folder, (progress.on_entry,), replay=True)
        self._told = 0
        """How many lines of the build's log were shown."""

    def to_verdict(self, driver: Driver | None = None) -> Verdict | None:
        """Goes on until the run's verdict is published, or nobody works on it any more.

        Args:
            driver: the process that was started to drive the run, where that is known.

        Returns:
            The verdict; None where its driver died before there was one.
        """
        alone = 0
        while alone < _PATIENCE and not self._live.record.is_published:
            is_driven = self._folder.is_driven or (driver is not None and driver.is_running)
            alone = 0 if is_driven else alone + 1
            time.sleep(_LOOK)
            self._live.refresh()
            if self._live.record.state is RunState.BUILDING:
                self._tell_build()
        return self._live.refresh().verdict

    def _tell_build(self) -> None:
        """Shows what the build has said since."""
        try:
            lines = self._folder.build_log.read_text("utf-8", "replace").splitlines()
        except FileNotFoundError:
            return
        for line in lines[self._told :]:
            self._progress.on_line(line)
        self._told = max(self._told, len(lines))
