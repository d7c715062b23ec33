"""The checkpoints of one trial: what an attempt leaves so that the next one continues.

A checkpoint has a name and two generations, `<name>.0` and `<name>.1`. A new one is written beside
them, brought to the disk, and renamed over the older of the two, so that whatever kills the process
or the machine, the newest that was whole stays. A file is

    16 bytes   what it is, and the version of its format
     8 bytes   sequence number: the newer of two generations has the higher one
     8 bytes   length of the header
    header     JSON: names and lengths of the blobs, and the caller's own header
    blobs      one after another
    32 bytes   BLAKE2b of all that precedes

The script runs as the same user and can write here too: whatever is not a whole file of this
format counts as not being there.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import stat
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pushtrain.worker import trees

_FORMAT = b"pushtrain-ckpt 1"
_NUMBER = 8
_HEAD = len(_FORMAT) + 2 * _NUMBER
_DIGEST = 32
_BLOCK = 4096
_GENERATIONS = ("0", "1")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class Saved:
    """A checkpoint as it was saved."""

    header: dict[str, Any]
    blobs: dict[str, memoryview]


@dataclass(frozen=True)
class _Newest:
    """Which generation counts, as this process knows it."""

    process: int
    generation: str
    sequence: int


class Checkpoints:
    """Checkpoints by name. Its methods may be called from any thread.

    Args:
        directory: where they lie; it may be missing, and then nothing can be saved.
        most: bytes that everything in it may have.
    """

    def __init__(self, directory: Path, most: int) -> None:
        self.directory = directory
        self.most = most
        self._newest: dict[str, _Newest] = {}
        self._lock = threading.RLock()

    def save(
        self,
        name: str,
        header: Mapping[str, Any],
        blobs: Mapping[str, bytes | bytearray | memoryview],
    ) -> None:
        """Saves a checkpoint: whole and on the disk when this returns.

        Args:
            name: letters, digits, `_` and `-`.
            header: what JSON can hold.
            blobs: anything whose bytes are contiguous, by name.

        Raises:
            OSError: there is no room for it, or the disk fails; what counted before still does.
            ValueError: another name.
        """
        with self._lock:
            newest = self._known(name)
            sequence = newest.sequence + 1 if newest else 1
            older = "1" if newest and newest.generation == "0" else "0"
            self._newest.pop(name, None)  # what fails on the way leaves either
            part = self._path(name, "part")
            part.unlink(missing_ok=True)
            pieces = list(_encode(sequence, header, blobs))
            self._make_room(sum(map(len, pieces)) + _DIGEST, self._path(name, older))
            try:
                _write(part, pieces)
                part.replace(self._path(name, older))
            except BaseException:
                with contextlib.suppress(OSError):
                    part.unlink()
                raise
            _bring_to_disk(self.directory)
            self._newest[name] = _Newest(os.getpid(), older, sequence)

    def load(self, name: str) -> Saved | None:
        """The newest of this name that is whole; None where there is none."""
        with self._lock:
            found = self._find(name)
            return found[1] if found else None

    def forget(self, name: str) -> None:
        """Removes a checkpoint; nothing happens where there is none.

        Raises:
            OSError: it cannot be removed.
        """
        with self._lock:
            self._newest.pop(name, None)
            for suffix in (*_GENERATIONS, "part"):
                self._path(name, suffix).unlink(missing_ok=True)

    def size(self, name: str) -> int:
        """Bytes of a checkpoint's files."""
        size = 0
        for generation in _GENERATIONS:
            with contextlib.suppress(OSError):
                size += self._path(name, generation).lstat().st_size
        return size

    def names(self) -> list[str]:
        """What there may be checkpoints of, whole or not."""
        try:
            entries = os.listdir(self.directory)  # noqa: PTH208
        except OSError:
            return []
        parts = (entry.rpartition(".") for entry in entries)
        return sorted(
            {name for name, _, end in parts if end in _GENERATIONS and _NAME.fullmatch(name)}
        )

    def _path(self, name: str, suffix: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name for a checkpoint: letters, digits, _ and -")
        return self.directory / f"{name}.{suffix}"

    def _known(self, name: str) -> _Newest | None:
        known = self._newest.get(name)
        if known is None or known.process != os.getpid():  # a parent's memory may be out of date
            found = self._find(name)
            known = found[0] if found else None
        return known

    def _find(self, name: str) -> tuple[_Newest, Saved] | None:
        claims = ((_claim(self._path(name, number)), number) for number in _GENERATIONS)
        for sequence, generation in sorted(claims, reverse=True):
            saved = _read(self._path(name, generation), self.most)
            if saved is not None:
                return _Newest(os.getpid(), generation, sequence), saved
        return None

    def _make_room(self, needed: int, older: Path) -> None:
        """Sees to it that so many bytes fit, at the cost of the generation that goes anyway."""
        needed = -(-needed // _BLOCK) * _BLOCK
        room = self.most - trees.usage(self.directory, most=self.most)
        if needed <= room:
            return
        try:
            freed = older.lstat().st_blocks * 512
        except FileNotFoundError:
            freed = 0
        if needed > room + freed:
            raise OSError(
                errno.EDQUOT, f"a checkpoint of {needed} bytes where {self.most} are allowed"
            )
        older.unlink()


class Pace:
    """How often to save, so that saving takes no more than a share of the time.

    Args:
        share: of the time, above 0.
    """

    def __init__(self, share: float = 0.04) -> None:
        self._share = share
        self._asked = self._not_before = float("-inf")

    def is_due(self, now: float) -> bool:
        """Whether a save may begin at this time, in seconds of a clock that only goes forward."""
        self._asked = now
        return now >= self._not_before

    def spent(self, seconds: float) -> None:
        """The save that began when `is_due` was last asked took so long, whatever came of it."""
        self._not_before = self._asked + seconds / self._share


def _encode(
    sequence: int,
    header: Mapping[str, Any],
    blobs: Mapping[str, bytes | bytearray | memoryview],
) -> Iterator[memoryview]:
    views = {name: _bytes_of(blob) for name, blob in blobs.items()}
    table = [[name, len(view)] for name, view in views.items()]
    record = json.dumps({"blobs": table, "header": dict(header)}).encode()
    numbers = (number.to_bytes(_NUMBER, "little") for number in (sequence, len(record)))
    yield memoryview(b"".join((_FORMAT, *numbers, record)))
    yield from views.values()


def _bytes_of(blob: bytes | bytearray | memoryview) -> memoryview:
    view = memoryview(blob)
    return view.cast("B") if view.nbytes else memoryview(b"")  # an empty view cannot be cast


def _write(path: Path, pieces: list[memoryview]) -> None:
    digest = hashlib.blake2b(digest_size=_DIGEST)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, 0o600), "wb", buffering=0) as file:
        for piece in pieces:
            digest.update(piece)
            _write_all(file.fileno(), piece)
        _write_all(file.fileno(), memoryview(digest.digest()))
        os.fsync(file.fileno())


def _write_all(descriptor: int, rest: memoryview) -> None:
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _bring_to_disk(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _claim(path: Path) -> int:
    """The sequence number that a file claims to have; -1 where it claims none."""
    try:
        head = bytes(_content(path, _HEAD, whole=False))
    except (OSError, ValueError):
        return -1
    return int.from_bytes(head[len(_FORMAT) : -_NUMBER], "little")


def _read(path: Path, most: int) -> Saved | None:
    """A file's content, None where it is not a whole checkpoint of at most so many bytes."""
    try:
        content = memoryview(_content(path, most, whole=True))
        body, digest = content[:-_DIGEST], content[-_DIGEST:]
        if hashlib.blake2b(body, digest_size=_DIGEST).digest() != digest:
            return None
        if body[: len(_FORMAT)] != _FORMAT:
            return None
        end = _HEAD + int.from_bytes(body[_HEAD - _NUMBER : _HEAD], "little")
        record = json.loads(bytes(body[_HEAD:end]))
        blobs = {}
        for name, length in record["blobs"]:
            blobs[name] = body[end : end + length]
            end += length
        return Saved(record["header"], blobs) if end == len(body) else None
    except (OSError, ValueError, TypeError, KeyError, RecursionError, MemoryError):
        return None


def _content(path: Path, most: int, *, whole: bool) -> bytearray:
    """The first `most` bytes of a regular file; of a whole one all, where it has no more.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no regular file, or has other than so many bytes.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or (whole and facts.st_size > most):
            raise ValueError("no checkpoint")
        content = bytearray(facts.st_size if whole else most)
        rest = memoryview(content)
        while rest:
            read = file.readinto(rest)
            if not read:
                raise ValueError("too short")
            rest = rest[read:]
        return content
