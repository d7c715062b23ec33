"""What the container's control group knows: memory, processors, and limits that were hit.

Version 1 keeps a folder per controller, version 2 one for all; a file that is missing (no limit
set, or no container at all) reads as nothing.
"""

from __future__ import annotations

import math
import os
import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path("/sys/fs/cgroup")


class Hits(NamedTuple):
    """How often a limit was hit since the container started."""

    oom_kills: int
    pids: int

    def since(self, before: Hits) -> Hits:
        """The hits after `before`."""
        return Hits(self.oom_kills - before.oom_kills, self.pids - before.pids)


def hits(root: Path = ROOT) -> Hits:
    """The counters as they stand."""
    memory = _table(root / "memory.events") or _table(root / "memory/memory.oom_control")
    pids = _table(root / "pids.events") or _table(root / "pids/pids.events")
    return Hits(memory.get("oom_kill", 0), pids.get("max", 0))


def memory(root: Path = ROOT) -> int:
    """Bytes in use, without the page cache that can be dropped at once."""
    used = _number(root / "memory.current") or _number(root / "memory/memory.usage_in_bytes")
    cache = _table(root / "memory.stat") or _table(root / "memory/memory.stat")
    return max(0, used - cache.get("total_inactive_file", cache.get("inactive_file", 0)))


def spare(root: Path = ROOT, machine: Path = Path("/proc/meminfo")) -> int:
    """Bytes of memory that may still be used, as far as that is known."""
    files = root / "memory.max", root / "memory/memory.limit_in_bytes"
    left = [limit - memory(root) for limit in map(_number, files) if limit]
    found = re.search(r"MemAvailable:\s+(\d+) kB", _text(machine))
    left += [int(found[1]) * 1024] if found else []
    return max(0, min(left, default=0))


def processors(root: Path = ROOT) -> int:
    """How many cores the container may use, rounded up: its quota, else those it may run on."""
    quota, _, period = _text(root / "cpu.max").partition(" ")
    if not quota:
        quota = _text(root / "cpu/cpu.cfs_quota_us")
        period = _text(root / "cpu/cpu.cfs_period_us")
    cores = len(os.sched_getaffinity(0))
    if quota.isdigit() and period.isdigit() and int(period):
        cores = min(cores, math.ceil(int(quota) / int(period)))
    return max(1, cores)


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _number(path: Path) -> int:
    text = _text(path)
    return int(text) if text.isdigit() else 0


def _table(path: Path) -> dict[str, int]:
    pairs = (line.split() for line in _text(path).splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}
