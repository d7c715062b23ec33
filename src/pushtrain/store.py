"""The runs on this machine: one folder each, found by an id or the beginning of one."""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import TypeAlias

from pushtrain.errors import JournalError, LeaseLost, UsageError
from pushtrain.events import Entry, Event
from pushtrain.journal import Journal
from pushtrain.lease import Lease, Lookout, take
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
    def created(self) -> Path:
        """An empty file, whose time says when the run was created."""
        return self.path / "created"

    @property
    def lease(self) -> Path:
        """Who drives the run; see `lease`."""
        return self.path / "lease"

    @property
    def journal(self) -> Path:
        """The run's events."""
        return self.path / "journal"

    @property
    def has_begun(self) -> bool:
        """Whether its journal says anything, or is not to be read; raises OSError.

        A power failure in the moment of the first line leaves an empty file, a full disk as well.
        """
        try:
            facts = self.journal.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        return facts.st_size > 0 or not S_ISREG(facts.st_mode)

    @property
    def source(self) -> Path:
        """The pushed tree."""
        return self.path / "source"

    @property
    def build_log(self) -> Path:
        """What was said while the image was built."""
        return self.path / "build.log"

    @property
    def driver_log(self) -> Path:
        """What drivers said that nobody watches."""
        return self.path / "driver.log"

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
    def driving(self) -> Iterator[Lease | None]:
        """Takes the right to drive the run for the length of the block; None if another has it.

        A run without a live lease and without a verdict was left by a driver that died. One that
        is paused for too long is ended where it is within reach; wherever it is, nothing that it
        still does counts.

        Raises:
            FileNotFoundError: the run's folder does not exist.
            JournalError: the lease, or the journal's copy, cannot be written.
        """
        lease = take(self.lease, f"run {self.id}")
        if lease is None:
            yield None
            return
        with lease:
            yield lease if self._settled(lease) else None

    def _settled(self, lease: Lease) -> bool:
        """Makes harmless whoever drove the run before; False if another took over meanwhile."""
        try:
            if lease.is_contested:
                Journal(self.journal, lease=lease).supplant()
            lease.forget()
        except LeaseLost:
            return False
        return True

    @property
    def is_driven(self) -> bool:
        """Whether a live process drives the run. Only looks: a driver can start meanwhile.

        Takes some seconds where that is in doubt. Raises JournalError.
        """
        return Lookout().sight(self.lease)[1].is_live


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
            folder.created.touch()
            # File systems themselves tell moments only roughly.
            os.utime(folder.created, ns=(now, now))
        except OSError as error:
            raise JournalError(
                f"{folder.path} cannot be made: {error}",
                hint="point PUSHTRAIN_HOME to a directory that you can write",
            ) from error
        return folder

    def folders(self) -> tuple[RunFolder, ...]:
        """Every run's folder, the newest first; raises JournalError when they cannot be listed.

        One that cannot be looked into is among them, so that whoever reads it says why.
        """
        found = []
        for path in _entries(self.home / "runs"):
            try:
                if not RunFolder(path.name, path).has_begun:
                    continue  # of a run that has just begun, or never will
                moment = _moment(path)
            except (FileNotFoundError, NotADirectoryError):
                continue  # removed while we look
            except OSError:
                moment = 0
            found.append((moment, path))
        return tuple(RunFolder(path.name, path) for _, path in sorted(found, reverse=True))

    def without_journal(self) -> tuple[tuple[RunFolder, float], ...]:
        """Folders whose run has not begun, or never will, and when something in them changed."""
        found = []
        for path in _entries(self.home / "runs"):
            with suppress(OSError):
                folder = RunFolder(path.name, path)
                if path.is_dir() and not folder.has_begun:
                    found.append((folder, path.stat().st_mtime))
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
        return folder if folder.has_begun else None

    def give_key(self, folder: RunFolder, key: str) -> None:
        """Lets a run be found by a key; the caller holds the key's lock."""
        file = self._key_file(key)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, folder.id.encode())

    def key_lock(self, key: str) -> AbstractContextManager[None]:
        """The lock of a key, which it shares with some others."""
        return self._lock_of(self._key_file(key))

    def forget_keys(self) -> None:
        """Drops the keys of runs that are gone."""
        for file in _entries(self.home / "keys"):
            with self._lock_of(file), suppress(FileNotFoundError):
                if not (self.home / "runs" / file.read_text("utf-8").strip()).exists():
                    file.unlink()

    def _key_file(self, key: str) -> Path:
        return self.home / "keys" / hashlib.sha256(os.fsencode(key)).hexdigest()[:32]

    def _lock_of(self, key_file: Path) -> AbstractContextManager[None]:
        return self.lock(f"key-{key_file.name[:2]}")  # few files, however many keys there were

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
        lease: the right to drive the run; None for whoever only looks, or asks for something.
    """

    def __init__(
        self,
        folder: RunFolder,
        observers: tuple[Observer, ...] = (),
        *,
        replay: bool = False,
        lease: Lease | None = None,
    ) -> None:
        self.folder = folder
        self.lease = lease
        self._journal = Journal(folder.journal, lease=lease)
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

    def append(self, event: Event, *, is_fenced: bool = True) -> RunRecord:
        """Writes an event to the journal and tells the observers; see `Journal.append`."""
        with self._lock:
            return self._take(self._journal.append(event, is_fenced=is_fenced))

    def refresh(self) -> RunRecord:
        """Reads what other processes have written since.

        Raises:
            LeaseLost: another process drives the run now.
            JournalError: the journal is damaged.
        """
        if self.lease is not None:
            self.lease.check()
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


def _moment(run: Path) -> int:
    """When a run was created, in nanoseconds; roughly, where that was not noted."""
    try:
        return (run / "created").stat().st_mtime_ns
    except FileNotFoundError:
        return run.stat().st_mtime_ns


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
