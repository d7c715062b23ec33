"""How Jenkins ends the processes of a build: hudson.util.ProcessTree, read and written anew."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")


def kill_all(marks: Mapping[str, str], number: signal.Signals = signal.SIGTERM) -> list[int]:
    """Sends a signal to each process whose environment holds all the marks, and to all that
    descend from it, the youngest first; gives their numbers."""
    killed: list[int] = []
    for pid in _pids():
        if pid != os.getpid() and _has(pid, marks):
            _kill_recursively(pid, number, killed)
    return killed


def parent(pid: int) -> int:
    """The parent's number; 0 when the process has ended."""
    try:
        state, parent_, *_ = (_PROC / f"{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return 0 if state in "ZX" else int(parent_)


def _kill_recursively(pid: int, number: signal.Signals, killed: list[int]) -> None:
    for child in [one for one in _pids() if parent(one) == pid]:
        _kill_recursively(child, number, killed)
    if pid not in killed:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
            killed.append(pid)


def _pids() -> Iterator[int]:
    return (int(path.name) for path in _PROC.iterdir() if path.name.isdigit())


def _has(pid: int, marks: Mapping[str, str]) -> bool:
    try:
        environment = (_PROC / f"{pid}/environ").read_bytes().decode("utf-8", "replace")
    except OSError:
        return False
    return {f"{name}={value}" for name, value in marks.items()} <= set(environment.split("\0"))
