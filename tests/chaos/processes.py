"""Processes of this machine, as /proc shows them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")


def of_home(home: Path) -> Iterator[tuple[int, tuple[str, ...]]]:
    """(process, arguments) of everything that works with a PUSHTRAIN_HOME."""
    wanted = f"PUSHTRAIN_HOME={home}".encode()
    for entry in _PROC.iterdir():
        if entry.name.isdecimal():
            with suppress(OSError):
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    said = (entry / "cmdline").read_bytes().decode("utf-8", "replace")
                    yield int(entry.name), tuple(said.rstrip("\0").split("\0"))


def children(process: int) -> tuple[int, ...]:
    """The children of a process, whichever of its threads they come from."""
    found = ""
    with suppress(OSError):
        for task in (_PROC / str(process) / "task").iterdir():
            found += (task / "children").read_text()
    return tuple(map(int, found.split()))


def is_zombie(process: int) -> bool:
    """Whether it has ended and nobody has asked how."""
    with suppress(OSError):
        stat = (_PROC / str(process) / "stat").read_text("utf-8", "replace")
        return stat.rpartition(")")[2].split()[0] == "Z"
    return False


def kill(process: int, number: signal.Signals = signal.SIGKILL) -> bool:
    """Signals a process; whether it was there."""
    try:
        os.kill(process, number)
    except ProcessLookupError:
        return False
    return True
