"""What a trial has on disk, held against what it may have."""

from __future__ import annotations

import os
from pathlib import Path

from pushtrain.worker import processes, trees
from pushtrain.worker.orders import Places

_ROOM = 64 * 1024
"""Bytes: with less, a place counts as full."""


class Disk:
    """The disk usage of the trial under way; made before it begins.

    Args:
        places: what lies in the trial's directory now is not the script's doing; its checkpoints
            are, whichever attempt they are of.
        most: bytes that it may have in its directory, and as many again in its checkpoints.
    """

    def __init__(self, places: Places, most: int) -> None:
        self._trials, self._checkpoints = places.trials, places.checkpoints
        self._before = trees.usage(self._trials)
        self._device = self._trials.stat().st_dev
        self._other = self._checkpoints.stat().st_dev if self._checkpoints.is_dir() else None
        self._in_memory = (places.tmp, *places.shared)
        self._most = most
        self.used = 0
        """Bytes, when it was last measured."""
        self.is_exceeded = False
        """Whether it was too much at any time."""
        self.memory_is_full = False
        """Whether there was no room left, at any time, where files lie in memory."""

    def measure(self) -> None:
        """Measures it; counting ends where it is too much."""
        own = trees.usage(self._trials, most=self._most + self._before) - self._before
        # The trial's own directory there is no part of what `Checkpoints` may fill.
        kept = trees.usage(self._checkpoints, most=self._most + trees.ENTRY) - trees.ENTRY
        own += processes.unlinked(self._device)
        if self._other not in (None, self._device):
            kept += processes.unlinked(self._other)
        self.used = max(0, own) + max(0, kept)
        self.is_exceeded = self.is_exceeded or own > self._most or kept > self._most
        self.memory_is_full = self.memory_is_full or any(map(_is_full, self._in_memory))


def _is_full(place: Path) -> bool:
    try:
        facts = os.statvfs(place)
    except OSError:
        return False
    return facts.f_blocks > 0 and facts.f_bavail * facts.f_frsize < _ROOM
