"""Watching over a run that a process of its own drives, which outlives whoever watches."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from pushtrain.cli.following import Driver, Follower
from pushtrain.cli.progress import Progress
from pushtrain.entities import Verdict
from pushtrain.errors import PushtrainError
from pushtrain.events import DriverLost
from pushtrain.store import LiveRun, RunFolder

_MOST_LOST = 3
"""Drivers in a row that may die before it is left to the monitor to judge what that means."""


class Starter(Protocol):
    """Starts drivers."""

    def start_driver(self, folder: RunFolder) -> AbstractContextManager[Driver]:
        """Starts a process that drives a run to its verdict; raises PushtrainError."""


def watch(folder: RunFolder, starter: Starter, progress: Progress) -> Verdict:
    """Shows a run to its verdict; it gets a driver where it has none, and a new one for a dead one.

    Raises:
        PushtrainError: a driver cannot be started, or they keep dying before there is a verdict.
    """
    follower = Follower(folder, progress)
    while True:
        is_cared_for = folder.record().is_published or folder.is_driven
        with nullcontext() if is_cared_for else starter.start_driver(folder) as driver:
            verdict = follower.to_verdict(driver)
        if verdict is not None and folder.record().is_published:
            return verdict
        if not _is_worth_another(folder):
            break
    if verdict is None:
        raise PushtrainError(
            f"run {folder.id}: its drivers keep dying ({_MOST_LOST + 1} in a row)",
            hint=f"see {folder.driver_log}; `pushtrain monitor` goes on with it",
            run=folder.id,
        )
    progress.on_line(
        f"run {folder.id} is not published: see {folder.driver_log}; `pushtrain monitor` goes on"
    )
    return verdict


def _is_worth_another(folder: RunFolder) -> bool:
    """Counts a driver that died; False where too many of them did."""
    with folder.driving() as lease:
        if lease is None:
            return True  # somebody else was faster, and goes on with it
        live = LiveRun(folder, lease=lease)
        if live.record.drivers_lost >= _MOST_LOST:
            return False
        live.append(DriverLost(live.record.drivers_lost + 1))
        return True
