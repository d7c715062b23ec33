"""A file to which several processes append, any of which may be paused while it holds the lock.

It is opened by its path for every use. Whoever has the lock makes sure that the path still leads
to what is locked: for a process that is paused with the lock an identical copy can be put in the
file's place, and what that process writes when it wakes up goes astray.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path
from stat import S_ISREG
from typing import IO, cast

from pushtrain.errors import JournalError

_FIRST_PAUSE, _LONGEST_PAUSE = 0.001, 0.05
"""Seconds between two looks at a lock that another process holds."""
_PATIENCE = 1.0
"""Seconds that a live process may hold the lock of a file that is to be replaced."""
_CHUNK = 1024**2


class SharedFile:
    """Opens one file for use with others. All methods raise JournalError.

    Args:
        path: where it is; only a regular file is opened, no link is followed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, patience: float) -> IO[bytes] | None:
        """The file for reading, even if its lock cannot be had within so many seconds.

        Returns:
            The open file, whose lock goes when it is closed; None where there is no file.
        """
        found = self._locked(os.O_RDONLY, fcntl.LOCK_SH, patience)
        return None if found is None else found[0]

    def write(self, patience: float) -> IO[bytes] | None:
        """The file for reading and appending, made if need be.

        Returns:
            The open file, whose lock goes when it is closed; None when another process held the
            lock for all of so many seconds.
        """
        found = self._locked(os.O_RDWR | os.O_APPEND | os.O_CREAT, fcntl.LOCK_EX, patience)
        assert found is not None
        file, is_locked = found
        if is_locked:
            return file
        file.close()
        return None

    def is_current(self, file: IO[bytes]) -> bool:
        """Whether the path still leads to this open file."""
        try:
            there = self.path.lstat()
        except FileNotFoundError:
            return False
        here = os.fstat(file.fileno())
        return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)

    def supplant(self, token: int, check: Callable[[], None]) -> None:
        """Puts a copy of all whole lines in the file's place, whoever holds its lock.

        Only one process at a time may do so, told by the highest token. Others may go on
        appending: who finds that the path leads elsewhere appends again, unless what it wrote is
        in the copy.

        Args:
            token: of the caller.
            check: raises when there is a higher one.
        """
        try:
            # Whoever had a lower token and still is at it can no longer put its copy there.
            for draft in self.path.parent.glob(f".{self.path.name}-*"):
                draft.unlink(missing_ok=True)
            file = self.read(_PATIENCE)
            if file is not None:
                with file:
                    self._replace(file, self.path.with_name(f".{self.path.name}-{token}"), check)
        except OSError as error:
            check()  # a higher token's holder has removed the draft
            raise JournalError(
                f"{self.path} cannot be replaced: {error}",
                hint="make room on that disk and start the command again",
            ) from error

    def _replace(self, file: IO[bytes], draft: Path, check: Callable[[], None]) -> None:
        mode = os.O_RDWR | os.O_CREAT | os.O_EXCL
        with os.fdopen(os.open(draft, mode, 0o666), "r+b") as copy:
            # Locked before anybody knows of it, so that nothing comes between the copy's parts.
            fcntl.flock(copy, fcntl.LOCK_EX)
            end = _copy_lines(file.fileno(), copy.fileno(), 0)
            os.fsync(copy.fileno())
            try:
                check()
                draft.replace(self.path)
            except BaseException:
                draft.unlink(missing_ok=True)
                raise
            # A process that held the lock may have woken up while this one copied.
            _copy_lines(file.fileno(), copy.fileno(), end)
            os.fsync(copy.fileno())
        directory = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def _locked(self, flags: int, kind: int, patience: float) -> tuple[IO[bytes], bool] | None:
        end = time.monotonic() + patience
        pause = _FIRST_PAUSE
        while (file := self._open(flags)) is not None:
            try:
                while True:
                    is_locked = _lock(file, kind)
                    if not self.is_current(file):
                        break
                    if is_locked or time.monotonic() >= end:
                        return file, is_locked
                    time.sleep(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)
            except BaseException:
                file.close()
                raise
            file.close()
        return None

    def _open(self, flags: int) -> IO[bytes] | None:
        """The file as it is now; None where there is none to read."""
        try:
            # Neither waits for the other end of a pipe nor follows a link.
            file = os.open(self.path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
        except FileNotFoundError as error:
            if not flags & os.O_CREAT:
                return None
            raise self._unusable(str(error)) from error
        except OSError as error:
            raise self._unusable(str(error)) from error
        if not S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise self._unusable("it is no regular file")
        return cast("IO[bytes]", os.fdopen(file, "rb"))

    def _unusable(self, why: str) -> JournalError:
        return JournalError(
            f"{self.path}: the journal cannot be opened: {why}",
            hint="check that PUSHTRAIN_HOME belongs to you",
        )


def _lock(file: IO[bytes], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _copy_lines(source: int, target: int, start: int) -> int:
    """Copies the whole lines from `start` on to the same place; gives where they end."""
    end = at = start
    while chunk := os.pread(source, _CHUNK, at):
        rest = memoryview(chunk)
        while rest:
            rest = rest[os.pwrite(target, rest, at + len(chunk) - len(rest)) :]
        newline = chunk.rfind(b"\n")
        if newline >= 0:
            end = at + newline + 1
        at += len(chunk)
    os.ftruncate(target, end)
    return end
