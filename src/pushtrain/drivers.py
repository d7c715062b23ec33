"""Drivers that are processes of their own: they outlive whoever starts them."""

from __future__ import annotations

import sys

from pushtrain.detached import Detached, detach
from pushtrain.errors import PushtrainError
from pushtrain.store import RunFolder


def start_driver(folder: RunFolder) -> Detached:
    """Starts a process that drives a run to its verdict, and publishes that.

    It ends at once where another one has the run's lease, or where nothing is left to be done.

    Raises:
        PushtrainError: it cannot be started.
    """
    command = (sys.executable, "-P", "-m", "pushtrain", "resume", folder.id, "--finish")
    try:
        return detach(command, folder.driver_log)
    except OSError as error:
        raise PushtrainError(
            f"run {folder.id}: a driver cannot be started: {error}",
            hint="make room for processes and on the disk of PUSHTRAIN_HOME, and see that setsid "
            "(util-linux) is installed",
            run=folder.id,
        ) from error
