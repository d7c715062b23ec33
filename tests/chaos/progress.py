"""What a run shows of itself while it goes on: its journal's events and its trials' log lines."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TRAINED = "trained"
"""A line of a log that says that an epoch was trained; every other kind is an event's name."""
BEGINS = "begins"
"""A line of a log that an attempt's script prints first of all."""
_OF_LOGS = (TRAINED, BEGINS)


@dataclass(frozen=True, slots=True)
class Seen:
    """Something that appeared.

    Attributes:
        when: by the steady clock, in seconds.
        kind: the event's name, or the first word of the line.
        trial: the number of the trial that it is about, where it is about one.
        facts: the event.
    """

    when: float
    kind: str
    trial: int | None
    facts: Mapping[str, Any] = field(default_factory=dict)


def sound_lines(journal: bytes) -> list[bytes]:
    """The lines of a journal that are whole: a blow may have spoilt its last one."""
    found = []
    for line in journal.split(b"\n")[:-1]:
        crc, _, body = line.partition(b" ")
        if body and crc == b"%08x" % zlib.crc32(body):
            found.append(line + b"\n")
    return found


class Progress:
    """Looks at the one run below a home.

    Args:
        home: PUSHTRAIN_HOME.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._stamp: tuple[int, ...] = ()
        self._lines: list[bytes] = []
        self._read: dict[Path, int] = {}
        self.seen: list[Seen] = []

    @property
    def folder(self) -> Path | None:
        """The run's folder, once its journal is there."""
        return next((path.parent for path in self._home.glob("runs/*/journal")), None)

    def look(self) -> None:
        """Adds what is new to `seen`."""
        folder = self.folder
        if folder is not None:
            self.seen += self._events(folder / "journal")
            for log in sorted(folder.glob("trials/*/log.txt")):
                self.seen += self._said(log)

    def since(self, kind: str, start: int) -> int:
        """How many of a kind were seen from the `start`th thing on."""
        return sum(seen.kind == kind for seen in self.seen[start:])

    def _events(self, journal: Path) -> Iterator[Seen]:
        """New lines; one that was spoilt may come again, changed."""
        facts = journal.stat()
        stamp = (facts.st_ino, facts.st_size, facts.st_mtime_ns)
        if stamp == self._stamp:
            return
        lines = sound_lines(journal.read_bytes())
        common = 0
        for before, now in zip(self._lines, lines, strict=False):
            if before != now:
                break
            common += 1
        self._stamp, self._lines = stamp, lines
        for line in lines[common:]:
            event = json.loads(line.partition(b" ")[2])["data"]
            trial = event.get("trial", event.get("result", {}).get("number"))
            yield Seen(time.monotonic(), event["event"], trial, event)

    def _said(self, log: Path) -> Iterator[Seen]:
        with log.open("rb") as file:
            file.seek(self._read.get(log, 0))
            whole, newline, _ = file.read().rpartition(b"\n")
        self._read[log] = self._read.get(log, 0) + len(whole) + len(newline)
        for line in whole.splitlines():
            kind = line.decode("utf-8", "replace").partition(" ")[0]
            if kind in _OF_LOGS:
                yield Seen(time.monotonic(), kind, int(log.parent.name))
