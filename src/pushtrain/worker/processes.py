"""The processes of the container: ending them all, and hiding the worker from them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import stat
import time
from collections.abc import Iterator
from pathlib import Path

IS_INIT = os.getpid() == 1
"""Whether this is process 1 of a container; the tests run the worker as an ordinary process."""

STOP, END = signal.SIGUSR1, signal.SIGTERM
"""What the driver sends: end the trial; end the trial and the worker."""

_PR_SET_DUMPABLE, _PR_SET_CHILD_SUBREAPER = 4, 36
_FROM_OUTSIDE = (0, 0)
"""(si_pid, si_code) of a kill from outside the container; no process inside can send it."""


def take_charge() -> None:
    """Makes this process the guardian of all that descend from it.

    It adopts orphans, and cannot be traced nor have its file descriptors opened through /proc by
    processes of the same user. Its signals wait until `request` asks for them.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {STOP, END})
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    _prctl(_PR_SET_DUMPABLE, 0)


def leave_charge() -> None:
    """In a forked child: takes back what `take_charge` set, so that it is an ordinary process."""
    _prctl(_PR_SET_DUMPABLE, 1)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {STOP, END})


def request(timeout: float = 0) -> int | None:
    """The next signal of the driver, waiting so many seconds; a script's own do not count."""
    information = signal.sigtimedwait({STOP, END}, timeout)
    if information is None:
        return None
    if IS_INIT and (information.si_pid, information.si_code) != _FROM_OUTSIDE:
        return None
    return information.si_signo


def reap(*, wait: bool = False) -> Iterator[tuple[int, int]]:
    """(process, status) of what has ended; with `wait` until there is no child left."""
    while True:
        try:
            process, status = os.waitpid(-1, 0 if wait else os.WNOHANG)
        except ChildProcessError:
            return
        if not process:
            return
        yield process, status


def signal_all(number: int) -> None:
    """Sends a signal to every process in the container but the worker."""
    if IS_INIT:
        _kill(-1, number)  # at once: a fork bomb cannot run ahead of it
    else:
        for process in descendants():
            _kill(process, number)


def end_all(patience: float = 10.0) -> dict[int, int]:
    """Kills until the worker is alone; gives the status of each process that was its child.

    Only a process that the kernel cannot end (uninterruptible) outlasts `patience` seconds.
    """
    ended: dict[int, int] = {}
    until = time.monotonic() + patience
    while time.monotonic() < until:
        signal_all(signal.SIGKILL)
        ended.update(reap())
        if not descendants():
            break
        time.sleep(0.005)
    return ended


def descendants() -> list[int]:
    """The living processes that this one answers for: all of the container's, or its descendants.

    Those of another user (an operator's `docker exec` as root) are not the worker's to end.
    """
    parents = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if entry.stat().st_uid not in (os.getuid(), 0):
                continue
            fields = _facts(entry)
        except OSError:
            continue
        if fields[0] not in "ZX":
            parents[int(entry.name)] = int(fields[1])
    if IS_INIT:
        return [process for process in parents if process != 1 and _may_signal(process)]
    me, found = os.getpid(), []
    for process, parent in parents.items():
        ancestor = parent
        while ancestor not in (0, 1, me):
            ancestor = parents.get(ancestor, 0)
        if ancestor == me:
            found.append(process)
    return found


def processor_time() -> int:
    """Ticks of a processor that the living processes and their threads have used."""
    ticks = 0
    for process in descendants():
        with contextlib.suppress(OSError):
            fields = _facts(Path(f"/proc/{process}"))
            ticks += int(fields[11]) + int(fields[12])
    return ticks


def unlinked(device: int) -> int:
    """Bytes on a device in files that have no name any more and that the processes hold open."""
    found: dict[int, int] = {}
    for process in descendants():
        try:
            for descriptor in Path(f"/proc/{process}/fd").iterdir():
                facts = descriptor.stat()
                if stat.S_ISREG(facts.st_mode) and not facts.st_nlink and facts.st_dev == device:
                    found[facts.st_ino] = facts.st_blocks * 512
        except OSError:
            continue
    return sum(found.values())


def _facts(process: Path) -> list[str]:
    """What /proc says of a process from its state on, whatever it calls itself."""
    return (process / "stat").read_text(errors="replace").rpartition(")")[2].split()


def _may_signal(process: int) -> bool:
    try:
        os.kill(process, 0)
    except OSError:
        return False
    return True


def _kill(process: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(process, number)


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"prctl({option}, {value}): {os.strerror(error)}")
