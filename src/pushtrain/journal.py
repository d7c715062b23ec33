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
        before = self._offset, self._seq
        try:
            with self._open("a+b") as file, _locked(file, fcntl.LOCK_EX):
                new = self._read_on(file)
                entry = Entry(self._seq + 1, self._clock(), event)
                line = self._encode(entry)
                self._write(file.fileno(), line, is_safe=not isinstance(event, EpochEnded))
        except BaseException:
            # What others wrote was not handed on: it is still new at the next call.
            self._offset, self._seq = before
            raise
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
        with self._open("rb") as file, _locked(file, fcntl.LOCK_SH):
            return self._read_on(file)

    def _write(self, file: int, line: bytes, *, is_safe: bool) -> None:
        """Puts a line in the place of what was cut short; `is_safe` waits for the disk."""
        try:
            os.ftruncate(file, self._offset)
            rest = memoryview(line)
            while rest:  # unbuffered, so that closing the file has nothing left to fail with
                rest = rest[os.write(file, rest) :]
            if is_safe:
                os.fsync(file)
        except OSError as error:
            raise JournalError(
                f"{self.path}: an event cannot be written: {error}",
                hint="make room on that disk and start the command again",
            ) from error

    def _open(self, mode: str) -> IO[bytes]:
        try:
            return cast("IO[bytes]", self.path.open(mode))
        except OSError as error:
            raise JournalError(
                f"{self.path}: the journal cannot be opened: {error}",
                hint="check that PUSHTRAIN_HOME belongs to you",
            ) from error

    def _read_on(self, file: IO[bytes]) -> tuple[Entry, ...]:
        """All whole lines that have not been read; none counts as read when this raises."""
        offset, entries = self._offset, list[Entry]()
        if _size(file) < offset:
            raise self._damaged(f"it ends after {_size(file)} bytes, and had {offset} before")
        file.seek(offset)
        while (line := file.readline(MOST_LINE + 1)).endswith(b"\n"):
            seq = self._seq + len(entries) + 1
            is_last = offset + len(line) == _size(file)
            entries.append(self._decode(line, seq, is_last=is_last))
            offset += len(line)
        if len(line) > MOST_LINE:
            raise self._damaged("a line is too long")
        self._offset, self._seq = offset, self._seq + len(entries)
        return tuple(entries)

    def _encode(self, entry: Entry) -> bytes:
        data = EVENT.dump_python(entry.event, mode="json")
        raw = {"v": VERSION, "seq": entry.seq, "time": entry.time, "data": data}
        text = json.dumps(raw, ensure_ascii=False, separators=(",", ":"))
        body = text.encode("utf-8", "surrogatepass")  # names of files need not be UTF-8
        line = b"%08x %s\n" % (zlib.crc32(body), body)
        if len(line) > MOST_LINE:
            raise JournalError(
                f"{self.path}: an event of {len(line)} bytes is more than one line may hold",
                hint=f"the most is {MOST_LINE} bytes; let the script report less",
            )
        return line

    def _decode(self, line: bytes, seq: int, *, is_last: bool) -> Entry:
        checksum, _, body = line.rstrip(b"\n").partition(b" ")
        if checksum != b"%08x" % zlib.crc32(body):
            raise self._damaged("its last line" if is_last else f"line {seq}")
        try:
            raw = json.loads(body)
            if raw["v"] != VERSION:
                raise JournalError(
                    f"{self.path}: written in format {raw['v']}, this is format {VERSION}",
                    hint="use the version of pushtrain that wrote it",
                )
            if raw["seq"] != seq:
                raise self._damaged(f"line {seq} is numbered {raw['seq']}")
            return Entry(seq, float(raw["time"]), EVENT.validate_python(raw["data"]))
        except (ValueError, TypeError, KeyError, RecursionError, ValidationError) as error:
            raise self._damaged(f"line {seq}: {error}") from error

    def _damaged(self, what: str) -> JournalError:
        return JournalError(
            f"{self.path} is damaged: {what}",
            hint="the run's results up to there are in its folder; start a new run",
        )


def _size(file: IO[bytes]) -> int:
    return os.fstat(file.fileno()).st_size


@contextmanager
def _locked(file: IO[bytes], kind: int) -> Iterator[None]:
    fcntl.flock(file, kind)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)
