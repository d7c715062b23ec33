"""A run's journal: the only truth about it, one event a line, appended and never rewritten.

A line is `<crc32 of the rest, 8 hex digits> <JSON>\\n` with the members `v` (format version),
`seq` (from 1), `time` (Unix) and `data` (the event). Several processes may append (a driver, and
whoever asks it to stop): each takes the file's lock, so sequence numbers have no gaps.

Every line is on disk before anything acts on it, but for epochs, and these are before the next
line of another kind is begun. So what a crash or a power failure can spoil is the last line, or
epochs at the end: cut short, or at their full length with something else in pages that never
reached the disk. That never counted, and is removed by the next append. Damage anywhere else is an
error, since it would change what is known.

A driver appends by its lease: what it writes after another process has taken over is not in the
journal, and it learns so at once.
"""

from __future__ import annotations

import json
import os
import time
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

from pydantic import ValidationError

from pushtrain.errors import JournalError
from pushtrain.events import EVENT, Entry, EpochEnded, Event
from pushtrain.lease import Lease
from pushtrain.shared_file import SharedFile

VERSION = 2
MOST_LINE = 16 * 1024**2
"""Longest line that is read back, in bytes: a trial's whole result is one line."""
_PATIENCE = 5.0
"""Seconds after which a driver takes whoever holds the journal's lock for paused."""
_LONG_PATIENCE = 40.0
"""The same for others, who wait until a monitor has replaced a driver that is paused."""
_GLANCE = 1.0
"""Seconds for which a reader waits for the lock; whole lines can be read without it."""
_LATEST = 1e11
"""Unix time after which no event happens, so that nobody calculates with what is none."""


def _published(data: dict[str, Any]) -> dict[str, Any]:
    """In format 1 nothing followed a verdict, so that it stands for its publication, too."""
    return {**data, "is_published": True} if data["event"] == "judged" else data


MIGRATIONS: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: _published}
"""Format version -> how the data of one of its lines is said in the next one."""


class _Position(NamedTuple):
    """Where a journal was read to; `lags` where its last line may not be on disk yet."""

    offset: int = 0
    seq: int = 0
    lags: bool = False


class Journal:
    """The events of one run on disk. Safe for several processes, not for several threads.

    Args:
        path: the journal's file; created by the first append.
        clock: Unix time, for tests.
        lease: the right to drive the run; None for whoever does not drive it.
    """

    def __init__(
        self, path: Path, clock: Callable[[], float] = time.time, lease: Lease | None = None
    ) -> None:
        self.path = path
        self._file = SharedFile(path)
        self._clock = clock
        self._lease = lease
        self._at = _Position()

    def append(self, event: Event, *, is_fenced: bool = True) -> tuple[Entry, ...]:
        """Writes an event; it is on disk when this returns (an epoch's end may lag behind).

        Args:
            event: what happened.
            is_fenced: whether it may only be written as long as the lease holds, if there is one;
                not so for what has happened in the world outside and cannot be undone.

        Returns:
            What is new since the last call: entries of other processes, then the event's own.

        Raises:
            LeaseLost: another process drives the run now; what was written may be in the journal
                or not.
            JournalError: the journal is damaged, or the disk refuses.
        """
        before, moment = self._at, self._clock()
        fence = self._lease.check if self._lease and is_fenced else _none
        written = b""
        try:
            while True:
                with self._writable() as file:
                    fence()
                    new = self._read_on(file)
                    if written and any(self._encode(entry) == written for entry in new):
                        return new
                    entry = Entry(self._at.seq + 1, moment, event)
                    written = self._encode(entry)
                    self._write(file.fileno(), written, lags=_lags(event))
                    # This process may have been paused since it looked.
                    fence()
                    if self._file.is_current(file):
                        break
                self._at = before
        except BaseException:
            # What others wrote was not handed on: it is still new at the next call.
            self._at = before
            raise
        self._at = _Position(self._at.offset + len(written), entry.seq, _lags(event))
        return (*new, entry)

    def read(self) -> tuple[Entry, ...]:
        """The entries since the last call, from the first on at the first call.

        Raises:
            JournalError: the journal is damaged elsewhere than at its end.
        """
        before = self._at
        while (file := self._file.read(_GLANCE)) is not None:
            with file:
                new = self._read_on(file)
                if self._file.is_current(file):
                    return new
            self._at = before
        return ()

    def supplant(self) -> None:
        """Puts an identical copy in the journal's place, as the holder of the lease.

        What a process that held the lease before, and is paused, still writes goes astray then.

        Raises:
            LeaseLost: another process holds the lease now.
            JournalError: the disk refuses.
        """
        assert self._lease is not None
        self._file.supplant(self._lease.token, self._lease.check)

    def _writable(self) -> IO[bytes]:
        """The journal's file with its lock, even if that is held by a process that is paused."""
        if self._lease is None:
            file = self._file.write(_LONG_PATIENCE)
            if file is None:
                raise JournalError(
                    f"{self.path} is locked by a process that does not go on",
                    hint="`pushtrain monitor` replaces a driver that is paused",
                )
            return file
        while (file := self._file.write(_PATIENCE)) is None:
            self.supplant()
        return file

    def _write(self, file: int, line: bytes, *, lags: bool) -> None:
        """Puts a line in the place of what never counted, and waits for the disk unless it lags."""
        try:
            if self._at.lags and not lags:
                os.fsync(file)  # pages reach the disk in any order: what stands before goes first
            os.ftruncate(file, self._at.offset)
            rest = memoryview(line)
            while rest:  # unbuffered, so that closing the file has nothing left to fail with
                rest = rest[os.write(file, rest) :]
            if not lags:
                os.fsync(file)
        except OSError as error:
            raise JournalError(
                f"{self.path}: an event cannot be written: {error}",
                hint="make room on that disk and start the command again",
            ) from error

    def _read_on(self, file: IO[bytes]) -> tuple[Entry, ...]:
        """All whole lines that have not been read; none counts as read when this raises."""
        offset, entries = self._at.offset, list[Entry]()
        if _size(file) < offset:
            raise self._damaged(f"it ends after {_size(file)} bytes, and had {offset} before")
        file.seek(offset)
        while (line := file.readline(MOST_LINE + 1)).endswith(b"\n"):
            seq = self._at.seq + len(entries) + 1
            if not _is_sound(line):
                if seq == 1:  # of a run whose beginning is not there nobody knows what it is
                    raise self._damaged(f"line {seq}")
                self._check_end(file, seq)
                break
            entries.append(self._decode(line, seq))
            offset += len(line)
        if len(line) > MOST_LINE:
            raise self._too_long()
        if entries:
            self._at = _Position(offset, entries[-1].seq, _lags(entries[-1].event))
        return tuple(entries)

    def _check_end(self, file: IO[bytes], seq: int) -> None:
        """Raises where something that counted stands behind an unsound line."""
        while line := file.readline(MOST_LINE + 1):
            if len(line) > MOST_LINE:
                raise self._too_long()
            if line.endswith(b"\n") and _is_sound(line) and not _is_epoch(line):
                raise self._damaged(f"line {seq}")

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

    def _decode(self, line: bytes, seq: int) -> Entry:
        try:
            raw = json.loads(line[_SUM:])
            if raw["v"] > VERSION:
                raise JournalError(
                    f"{self.path}: written in format {raw['v']}, this is format {VERSION}",
                    hint="use the version of pushtrain that wrote it",
                )
            if raw["seq"] != seq:
                raise self._damaged(f"line {seq} is numbered {raw['seq']}")
            moment, data = float(raw["time"]), raw["data"]
            if not 0 <= moment < _LATEST:
                raise self._damaged(f"line {seq} is of the time {moment}")
            for version in range(raw["v"], VERSION):
                data = MIGRATIONS[version](data)
            return Entry(seq, moment, EVENT.validate_python(data))
        except (ValueError, TypeError, KeyError, RecursionError, ValidationError) as error:
            raise self._damaged(f"line {seq}: {error}") from error

    def _too_long(self) -> JournalError:
        return self._damaged("a line is too long")

    def _damaged(self, what: str) -> JournalError:
        return JournalError(
            f"{self.path} is damaged: {what}",
            hint="the run's results up to there are in its folder; start a new run",
        )


_SUM = 9
"""Bytes of a line before its JSON."""
_EPOCH = "epoch_ended"


def _is_sound(line: bytes) -> bool:
    """Whether a line's checksum is right."""
    return line[:_SUM] == b"%08x " % zlib.crc32(line[_SUM:].rstrip(b"\n"))


def _is_epoch(line: bytes) -> bool:
    """Whether a sound line tells of an epoch, the one kind of event that nobody waits for."""
    try:
        return bool(json.loads(line[_SUM:])["data"]["event"] == _EPOCH)
    except (ValueError, TypeError, KeyError, RecursionError):
        return False


def _lags(event: Event) -> bool:
    """Whether an event may reach the disk later than its writer goes on."""
    return isinstance(event, EpochEnded)


def _size(file: IO[bytes]) -> int:
    return os.fstat(file.fileno()).st_size


def _none() -> None:
    """No fence."""
