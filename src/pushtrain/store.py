"""The runs on this machine: one folder each, found by an id or the beginning of one."""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from pushtrain.errors import JournalError, UsageError
from pushtrain.events import Entry, Event
from pushtrain.journal import Journal
from pushtrain.record import RunRecord, fold
from pushtrain.whole_file import write_whole

_log = logging.getLogger(__name__)

Observer: TypeAlias = Callable[[Entry, RunRecord], None]
"""Hears of an entry, and of the record with it."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where the files of one run lie; see docs/01-architecture.md."""

    id: str
    path: Path

    @property
    def journal(self) -> Path:
        """The run's events."""
        return self.path / "journal"

    @property
    def source(self) -> Path:
        """The pushed tree."""
        return self.path / "source"

    @property
    def build_log(self) -> Path:
        """What was said while the image was built."""
        return self.path / "build.log"

    @property
    def trials(self) -> Path:
        """One folder per trial: `log.txt` and `out/`."""
        return self.path / "trials"

    @property
    def model(self) -> Path:
        """The best model's files."""
        return self.path / "model"

    @property
    def patch(self) -> Path:
        """The winning change."""
        return self.path / "winner.patch"

    @property
    def manifest(self) -> Path:
        """What the run can be reproduced from."""
        return self.path / "manifest.json"

    @property
    def junit(self) -> Path:
        """The verdict and the trials, as Jenkins reads them."""
        return self.path / "junit.xml"

    @property
    def report(self) -> Path:
        """The page for people."""
        return self.path / "report" / "index.html"

    def record(self) -> RunRecord:
        """What the journal tells now; raises JournalError."""
        return fold(self.id, Journal(self.journal).read())

    @contextmanager
    def driving(self) -> Iterator[bool]:
        """Takes the run's driver lock for the length of the block; False if another has it.

        The lock falls with its process, so a run whose lock is free and that has no verdict was
        left by a driver that died.
        """
        with (self.path / "driver.lock").open("a") as file:
            try:
                fcntl.fcntl(file, fcntl.F_OFD_SETLK, _FLOCK.pack(*_WHOLE_FILE))
            except BlockingIOError:
                yield False
                return
            yield True

    @property
    def is_driven(self) -> bool:
        """Whether a live process drives the run. Only looks: a driver can start meanwhile."""
        try:
            with (self.path / "driver.lock").open("a") as file:
                asked = fcntl.fcntl(file, fcntl.F_OFD_GETLK, _FLOCK.pack(*_WHOLE_FILE))
        except FileNotFoundError:
            return False
        return bool(_FLOCK.unpack(asked)[0] != fcntl.F_UNLCK)


_FLOCK = struct.Struct("@hhqqi4x")
"""struct flock of fcntl(2), for open file description locks."""
_WHOLE_FILE = (fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)


class Store:
    """All runs below a home directory. Safe for several processes.

    Args:
        home: PUSHTRAIN_HOME.
    """

    def __init__(self, home: Path) -> None:
        self.home = home

    def create(self, request: str) -> RunFolder:
        """A new, empty folder with an id of its own; raises JournalError when it cannot be made."""
        now = time.time_ns()
        facts = f"{request}\0{now}\0{os.getpid()}\0{threading.get_ident()}"
        run = hashlib.sha256(os.fsencode(facts)).hexdigest()[:8]
        folder = RunFolder(run, self.home / "runs" / run)
        try:
            folder.path.mkdir(parents=True, mode=0o700)
            lock = folder.path / "driver.lock"
            lock.touch()
            os.utime(lock, ns=(now, now))  # file systems themselves tell moments only roughly
        except OSError as error:
            raise JournalError(
                f"{folder.path} cannot be made: {error}",
                hint="point PUSHTRAIN_HOME to a directory that you can write",
            ) from error
        return folder

    def folders(self) -> tuple[RunFolder, ...]:
        """Every run's folder, the newest first; raises JournalError when they cannot be listed."""
        found = []
        for path in _entries(self.home / "runs"):
            with suppress(OSError):  # removed while we look, or of a run that has just begun
                (path / "journal").stat()
                found.append(((path / "driver.lock").stat().st_mtime_ns, path))
        return tuple(RunFolder(path.name, path) for _, path in sorted(found, reverse=True))

    def half_made(self, before: float) -> tuple[RunFolder, ...]:
        """Folders older than the Unix time `before` whose run never began: its process died."""
        found = []
        for path in _entries(self.home / "runs"):
            with suppress(OSError):
                if not (path / "journal").exists() and path.stat().st_mtime < before:
                    found.append(RunFolder(path.name, path))
        return tuple(found)

    def open(self, prefix: str) -> RunFolder:
        """The run whose id begins with `prefix`, or whose key it is; "last" is the newest.

        Raises:
            UsageError: there is none, or more than one.
        """
        keyed = self.by_key(prefix)
        if keyed is not None:
            return keyed
        folders = self.folders()
        if prefix == "last" and folders:
            return folders[0]
        matching = [folder for folder in folders if prefix and folder.id.startswith(prefix)]
        if len(matching) == 1:
            return matching[0]
        if matching:
            ids = ", ".join(folder.id for folder in matching)
            raise UsageError(f"run {prefix} could be any of {ids}", hint="give more of the id")
        raise UsageError(
            f"there is no run {prefix or '(empty id)'} below {self.home / 'runs'}",
            hint="`pushtrain runs` lists what there is",
            run=prefix,
        )

    def by_key(self, key: str) -> RunFolder | None:
        """The run that was given a key, where there is one."""
        try:
            run = self._key_file(key).read_text("utf-8").strip()
        except FileNotFoundError:
            return None
        folder = RunFolder(run, self.home / "runs" / run)
        return folder if folder.journal.exists() else None

    def give_key(self, folder: RunFolder, key: str) -> None:
        """Lets a run be found by a key; the caller holds the key's lock."""
        file = self._key_file(key)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, folder.id.encode())

    def _key_file(self, key: str) -> Path:
        return self.home / "keys" / hashlib.sha256(os.fsencode(key)).hexdigest()[:32]

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Holds a lock that all processes of this home share, waiting for it."""
        directory = self.home / "locks"
        directory.mkdir(parents=True, exist_ok=True)
        with (directory / name).open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


class LiveRun:
    """The run that this process drives: its folder, its journal, and what both say now.

    `append` may be called from several threads; observers hear of every entry, one at a time.

    Args:
        folder: the run's files.
        observers: hear of what happens from now on.
        replay: whether they first hear of what has happened so far.
    """

    def __init__(
        self,
        folder: RunFolder,
        observers: tuple[Observer, ...] = (),
        *,
        replay: bool = False,
    ) -> None:
        self.folder = folder
        self._journal = Journal(folder.journal)
        self._observers = observers
        self._lock = threading.RLock()
        self._record = RunRecord(folder.id)
        if not replay:
            self._record = fold(folder.id, self._journal.read())
        else:
            self.refresh()

    @property
    def id(self) -> str:
        """The run's id."""
        return self.folder.id

    @property
    def record(self) -> RunRecord:
        """What has happened so far."""
        return self._record

    def append(self, event: Event) -> RunRecord:
        """Writes an event to the journal and tells the observers; raises JournalError."""
        with self._lock:
            return self._take(self._journal.append(event))

    def refresh(self) -> RunRecord:
        """Reads what other processes have written since."""
        with self._lock:
            return self._take(self._journal.read())

    def _take(self, entries: tuple[Entry, ...]) -> RunRecord:
        records = [self._record]
        for entry in entries:
            records.append(fold(self.id, (entry,), records[-1]))
        self._record = records[-1]
        for entry, record in zip(entries, records[1:], strict=True):
            for observer in self._observers:
                self._show(observer, entry, record)
        return self._record

    def _show(self, observer: Observer, entry: Entry, record: RunRecord) -> None:
        """Tells an observer; one that fails (its reader went away) hears no more."""
        try:
            observer(entry, record)
        except Exception as error:
            self._observers = tuple(each for each in self._observers if each is not observer)
            _log.warning("run %s goes on unseen: %s", self.id, error)
            _log.debug("where the observer failed", exc_info=error)


def _entries(directory: Path) -> tuple[Path, ...]:
    try:
        return tuple(directory.iterdir())
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise JournalError(
            f"{directory} cannot be read: {error}",
            hint="check that PUSHTRAIN_HOME belongs to you",
        ) from error
