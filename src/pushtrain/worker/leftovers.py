"""What a trial may leave outside its own directory, and in the worker itself."""

from __future__ import annotations

import ctypes
import os
import resource
from pathlib import Path

from pushtrain.worker import processes, trees
from pushtrain.worker.orders import Order, Places

_IPC_RMID = 0
_LIMITS = tuple(value for name, value in vars(resource).items() if name.startswith("RLIMIT_"))


class Meddled(Exception):
    """The worker is not what it was before a trial."""


def remove(places: Places, order: Order) -> None:
    """Removes an earlier trial's files, and its shared memory of every kind.

    Checkpoints go as well, but for those that the trial of this order continues from.
    """
    _remove_checkpoints(places, order)
    trees.empty(places.trials)
    trees.empty(places.tmp)
    for directory in places.shared:
        trees.empty(directory)
    if processes.IS_INIT:  # elsewhere the objects of others are in the same tables
        _remove_system_v()


def condition() -> object:
    """All that a process of the same user can change of another one: limits and priorities."""
    limits = tuple(resource.getrlimit(limit) for limit in _LIMITS)
    return limits, os.getpriority(os.PRIO_PROCESS, 0), sorted(os.sched_getaffinity(0))


def _remove_checkpoints(places: Places, order: Order) -> None:
    try:
        places.checkpoints.mkdir(parents=True, exist_ok=True)
    except OSError:
        return  # no volume for them: then nothing is saved either
    trees.empty(places.checkpoints, keep=str(order.trial) if order.resume else "")
    places.checkpoint(order.trial).mkdir(exist_ok=True)


def _remove_system_v() -> None:
    libc = ctypes.CDLL(None)
    for number in _numbers("shm"):
        libc.shmctl(number, _IPC_RMID, None)
    for number in _numbers("sem"):
        libc.semctl(number, 0, _IPC_RMID)
    for number in _numbers("msg"):
        libc.msgctl(number, _IPC_RMID, None)


def _numbers(kind: str) -> list[int]:
    try:
        lines = Path(f"/proc/sysvipc/{kind}").read_text().splitlines()[1:]
    except OSError:
        return []
    return [int(line.split()[1]) for line in lines]
