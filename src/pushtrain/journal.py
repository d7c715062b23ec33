"""A run's journal: the only truth about it, one event a line, appended and never rewritten.

A line is `<crc32 of the rest, 8 hex digits> <JSON>\\n` with the members `v` (format version),
`seq` (from 1), `time` (Unix) and `data` (the event). Several processes may append (a driver, and
whoever asks it to stop): each takes the file's lock, so sequence numbers have no gaps. A last
line that was cut short by a crash or a power failure never counted and is removed by the next
append; damage anywhere else is an error, since it would change what is known.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from pydantic import ValidationError

from pushtrain.errors import JournalError
from pushtrain.events import EVENT, Entry, EpochEnded, Event

VERSION = 1
MOST_LINE = 16 * 1024**2
"""Longest line that is read back, in bytes: a trial's whole result is one line."""


class Journal:
    """The events of one run on disk. Safe for several processes, not for several threads.

    Args:
        path: the journal's file; created by the first append.
        clock: Unix time, for tests.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self._clock = clock
        self._offset = 0
        self._seq = 0

    def append(self, event: Event) -> tuple[Entry, ...]:
        """Writes an event; it is on disk when this returns (an epoch's end may lag behind).

        Returns:
            What is new since the last call: entries of other processes, then the event's own.

        Raises:
            JournalError: the journal is damaged, or the disk refuses.
        """
        with self._open("a+b") as file, _locked(file):
            new = list(self._read_on(file))
            entry = Entry(self._seq + 1, self._clock(), event)
            line = _encode(entry)
            file.truncate(self._offset)
            try:
                file.write(line)
                file.flush()
                if not isinstance(event, EpochEnded):
                    os.fsync(file.fileno())
            except OSError as error:
                raise JournalError(
                    f"{self.path}: an event cannot be written: {error}",
                    hint="make room on that disk and start the command again",
                ) from error
            self._offset += len(line)
            self._seq = entry.seq
            return (*new, entry)

    def read(self) -> tuple[Entry, ...]:
        """The entries since the last call, from the first on at the first call.

        Raises:
            JournalError: the journal is damaged elsewhere than in its last line.
        """
        if not self.path.exists():
            return ()
        with self._open("rb") as file:
            return tuple(self._read_on(file))

    def _open(self, mode: str) -> IO[bytes]:
        try:
            return cast("IO[bytes]", self.path.open(mode))
        except OSError as error:
            raise JournalError(
                f"{self.path}: the journal cannot be opened: {error}",
                hint="check that PUSHTRAIN_HOME belongs to you",
            ) from error

    def _read_on(self, file: IO[bytes]) -> Iterator[Entry]:
        file.seek(self._offset)
        while line := file.readline(MOST_LINE + 1):
            if not line.endswith(b"\n"):
                if len(line) > MOST_LINE:
                    raise self._damaged("a line is too long")
                return
            yield self._decode(line, is_last=self._offset + len(line) == _size(file))
            self._offset += len(line)
            self._seq += 1

    def _decode(self, line: bytes, *, is_last: bool) -> Entry:
        checksum, _, body = line.rstrip(b"\n").partition(b" ")
        if checksum != b"%08x" % zlib.crc32(body):
            raise self._damaged("its last line" if is_last else f"line {self._seq + 1}")
        try:
            raw = json.loads(body)
            if raw["v"] != VERSION:
                raise JournalError(
                    f"{self.path}: written in format {raw['v']}, this is format {VERSION}",
                    hint="use the version of pushtrain that wrote it",
                )
            if raw["seq"] != self._seq + 1:
                raise self._damaged(f"line {self._seq + 1} is numbered {raw['seq']}")
            return Entry(int(raw["seq"]), float(raw["time"]), EVENT.validate_python(raw["data"]))
        except (ValueError, TypeError, KeyError, RecursionError, ValidationError) as error:
            raise self._damaged(f"line {self._seq + 1}: {error}") from error

    def _damaged(self, what: str) -> JournalError:
        return JournalError(
            f"{self.path} is damaged: {what}",
            hint="the run's results up to there are in its folder; start a new run",
        )


def _encode(entry: Entry) -> bytes:
    data = EVENT.dump_python(entry.event, mode="json")
    raw = {"v": VERSION, "seq": entry.seq, "time": entry.time, "data": data}
    body = json.dumps(raw, ensure_ascii=False, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def _size(file: IO[bytes]) -> int:
    return os.fstat(file.fileno()).st_size


@contextmanager
def _locked(file: IO[bytes]) -> Iterator[None]:
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)
