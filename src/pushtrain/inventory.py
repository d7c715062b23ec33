"""What runs there are, and how it stands with each: read so that a second look costs little."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pushtrain.errors import JournalError
from pushtrain.lease import Lookout, Standing
from pushtrain.record import RunRecord
from pushtrain.store import LiveRun, RunFolder, Store

DAY = 86400.0


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run as it is on disk.

    Attributes:
        folder: its files.
        record: what its journal tells; None where that cannot be read.
        standing: how it stands with the lease of its driver.
        problem: why it cannot be read.
    """

    folder: RunFolder
    record: RunRecord | None
    standing: Standing
    problem: str = ""

    @property
    def is_driven(self) -> bool:
        """Whether a live process drives it, as far as that is known."""
        return self.standing.is_live

    @property
    def is_settled(self) -> bool:
        """Whether nothing is to be done about it any more."""
        record = self.record
        is_over = record is not None and record.verdict is not None and record.is_published
        return is_over and not self.is_driven


class Inventory:
    """Looks at the runs of a store, any number of times. Not thread-safe.

    Args:
        store: the runs.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lookout = Lookout()
        self._lives: dict[Path, LiveRun] = {}
        self._seen: dict[Path, StoredRun] = {}

    def runs(self, newest: int | None = None, *, waits: bool = True) -> tuple[StoredRun, ...]:
        """The runs, the newest first; one that cannot be read says why.

        Args:
            newest: how many; all by default.
            waits: watches for some seconds what is in doubt; otherwise it counts as driven, and a
                later look will tell.

        Raises:
            JournalError: the runs cannot be listed.
        """
        folders = self._store.folders()[:newest]
        if waits:
            self._settle(folders)
        runs = tuple(map(self._look, folders))
        self._seen = {run.folder.path: run for run in runs}
        self._lives = {path: live for path, live in self._lives.items() if path in self._seen}
        return runs

    def has_news(self) -> bool:
        """Whether, since the last look at all runs, one has begun, got a driver or lost it.

        Costs next to nothing: no journal is read, and nothing of runs that were settled.
        """
        folders = self._store.folders()
        if any(folder.path not in self._seen for folder in folders):
            return True
        unsettled = (run for run in self._seen.values() if not run.is_settled)
        return any(self._has_changed(run) for run in unsettled)

    def never_begun(self, now: float) -> tuple[RunFolder, ...]:
        """What is left of runs whose process died before they began.

        Args:
            now: Unix time; what nobody ever had a lease of must be a day old.
        """
        found = []
        for folder, modified in self._store.without_journal():
            standing = self._standing(folder)
            is_left = modified < now - DAY if standing is Standing.NEVER else not standing.is_live
            if is_left:
                found.append(folder)
        return tuple(found)

    def _settle(self, folders: Iterable[RunFolder]) -> None:
        doubtful = [f for f in folders if self._standing(f) is Standing.DOUBTFUL]
        try:
            self._lookout.settle(folder.lease for folder in doubtful)
        except JournalError:
            return  # which of them it is, its own look will say

    def _standing(self, folder: RunFolder) -> Standing:
        """As long as nobody can tell, a run counts as driven: nothing is done about it."""
        try:
            return self._lookout.look(folder.lease)
        except JournalError:
            return Standing.HELD

    def _has_changed(self, run: StoredRun) -> bool:
        now = self._standing(run.folder)
        return now is not run.standing and not (now.is_live and run.is_driven)

    def _look(self, folder: RunFolder) -> StoredRun:
        try:
            standing = self._lookout.look(folder.lease)
        except JournalError as error:
            return StoredRun(folder, None, Standing.HELD, str(error))
        try:
            live = self._lives.get(folder.path)
            if live is None:
                live = LiveRun(folder)
            record = live.refresh()
        except JournalError as error:
            self._lives.pop(folder.path, None)
            return StoredRun(folder, None, standing, str(error))
        self._lives[folder.path] = live
        return StoredRun(folder, record, standing)
