"""Other processes that are paused and go on as a test wants, and the means to bring them there."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pushtrain import lease

_fork = multiprocessing.get_context("fork")
PATIENT = 30.0


def hurry(patch: pytest.MonkeyPatch) -> None:
    """Lets leases run out in tenths of seconds, here and in processes forked from here."""
    for name, seconds in (("BEAT", 0.05), ("TTL", 0.6), ("WATCH", 0.3), ("_LOOK", 0.02)):
        patch.setattr(lease, name, seconds)


class Other:
    """A process forked from the test, with a pipe to it."""

    def __init__(self, work: Callable[[Any], None]) -> None:
        self.pipe, its = _fork.Pipe()
        self._process = _fork.Process(target=work, args=(its,))
        self._process.start()
        its.close()

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    def hear(self) -> Any:
        """What it says next."""
        assert self.pipe.poll(PATIENT), "it says nothing"
        return self.pipe.recv()

    def pause(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)
        until(lambda: _state(self.pid) == "T")

    def go_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def end(self) -> int | None:
        """Waits for its end; gives its exit code."""
        self._process.join(PATIENT)
        return self._process.exitcode

    def kill(self) -> None:
        if self._process.is_alive():
            os.kill(self.pid, signal.SIGKILL)
        self._process.join()


@contextmanager
def other(work: Callable[[Any], None]) -> Iterator[Other]:
    """A process that is gone at the end, whatever it does."""
    made = Other(work)
    try:
        yield made
    finally:
        made.kill()


def until(condition: Callable[[], object], seconds: float = PATIENT) -> None:
    """Waits for a condition."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.005)


def pause_myself() -> None:
    """Stops this process here, until somebody lets it go on."""
    os.kill(os.getpid(), signal.SIGSTOP)


def is_paused(pid: int) -> bool:
    return _state(pid) == "T"


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def out_of_reach(patch: pytest.MonkeyPatch) -> None:
    """Lets nobody end paused processes, nor know that they have ended: as if on another host."""
    patch.setattr(lease.Process, "is_gone", lambda self: False)
    patch.setattr(lease.Process, "kill", lambda self: False)
