"""Being asked to stop (SIGTERM): who can save and leave takes a moment, all else ends at once."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

CODE = 128 + signal.SIGTERM
"""Exit code of a script that has saved and left because it was asked to stop."""


class Stop:
    """Whether the trial has been asked to stop; see `heeded`."""

    def __init__(self) -> None:
        self.is_asked = False
        self._process = os.getpid()

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """The signal's handler. What the script has forked meanwhile ends as it would anyway."""
        if os.getpid() != self._process:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self.is_asked = True


@contextlib.contextmanager
def heeded() -> Iterator[Stop]:
    """Whoever is inside looks at `is_asked` every moment, and then saves and calls `leave`.

    Outside the signal ends the process, also where it came inside and was not heeded. A handler
    of the script's own counts more: then nothing is asked here, as on any thread but the main one.
    """
    current = signal.getsignal(signal.SIGTERM)
    if isinstance(current, Stop):
        yield current
        return
    stop = Stop()
    if current is not signal.SIG_DFL or threading.current_thread() is not threading.main_thread():
        yield stop
        return
    signal.signal(signal.SIGTERM, stop)
    try:
        yield stop
    finally:
        if signal.getsignal(signal.SIGTERM) is stop:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if stop.is_asked:
            os.kill(os.getpid(), signal.SIGTERM)


def leave() -> NoReturn:
    """Ends the process at once, whatever the script would do on its way out."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(CODE)
