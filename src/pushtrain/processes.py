"""Processes of this machine, told apart from every other one, also from a later one of that number.

Facts come from /proc (proc(5), pid_namespaces(7)); where it is missing nothing is known for sure.
"""

from __future__ import annotations

import os
import select
import signal
import socket
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_PROC = Path("/proc")
_PATIENCE = 5.0
"""Seconds that a killed process may take to end: it may hang in the disk."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process, wherever it runs.

    Attributes:
        boot: which boot of which machine; empty where that cannot be known.
        namespace: in which its number means something.
        pid: its number there.
        started: its start, in clock ticks since the boot.
        host: the machine's name, for people.
    """

    boot: str
    namespace: str
    pid: int
    started: int
    host: str

    @classmethod
    def this(cls) -> Process:
        """The one that asks."""
        return _this(os.getpid())

    def is_gone(self) -> bool:
        """Whether it is certain that it has ended; False where that cannot be known."""
        if not self._is_near():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except OSError:
            pass  # somebody else's, and there
        stat = _stat(self.pid)
        return stat is not None and (stat.started != self.started or stat.has_ended)

    def kill(self) -> bool:
        """Ends it at once, where it is one of this user on this machine and not this one itself.

        Returns:
            Whether it is certain that it has ended.
        """
        if not self._is_near() or self.pid == os.getpid():
            return False
        try:
            with closing(_Handle(self.pid)) as handle:
                # What is verified and what is killed are the same, since the handle is of one.
                if not self.is_gone() and _owner(self.pid) == os.geteuid() and self._is_there():
                    signal.pidfd_send_signal(handle.fd, signal.SIGKILL)
                    handle.wait(_PATIENCE)
        except OSError:
            pass  # ended meanwhile, or nothing that this system can do
        return self.is_gone()

    def _is_near(self) -> bool:
        here = Process.this()
        return bool(self.boot) and (self.boot, self.namespace) == (here.boot, here.namespace)

    def _is_there(self) -> bool:
        stat = _stat(self.pid)
        return stat is not None and stat.started == self.started


@lru_cache(maxsize=1)
def _this(pid: int) -> Process:
    # A /proc of another namespace tells of other processes: then nothing is known of any.
    stat = _stat(pid) if _own_number() == str(pid) else None
    return Process(
        boot=_read("sys/kernel/random/boot_id") if stat else "",
        namespace=str((_PROC / "self/ns/pid").readlink()) if stat else "",
        pid=pid,
        started=stat.started if stat else 0,
        host=socket.gethostname(),
    )


@dataclass(frozen=True, slots=True)
class _Stat:
    started: int
    has_ended: bool


class _Handle:
    """One process, whatever becomes of its number."""

    def __init__(self, pid: int) -> None:
        self.fd = os.pidfd_open(pid)

    def wait(self, seconds: float) -> None:
        ended = select.poll()
        ended.register(self.fd, select.POLLIN)
        ended.poll(seconds * 1000)

    def close(self) -> None:
        os.close(self.fd)


def _stat(pid: int) -> _Stat | None:
    """What the kernel says of a process; None where it says nothing."""
    try:
        fields = _read(f"{pid}/stat").rpartition(")")[2].split()
        state, threads, started = fields[0], int(fields[17]), int(fields[19])
    except (OSError, ValueError, IndexError):
        return None
    # A process whose first thread has ended still acts by its others.
    return _Stat(started, has_ended=state in "ZX" and threads <= 1)


def _own_number() -> str:
    """By which number /proc knows this process."""
    try:
        return str((_PROC / "self").readlink())
    except OSError:
        return ""


def _owner(pid: int) -> int:
    return (_PROC / str(pid)).stat().st_uid


def _read(name: str) -> str:
    return (_PROC / name).read_text("utf-8", "replace").strip()
