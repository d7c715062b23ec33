"""What can be done to a run whose driver is gone, each by the run's own lease."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from pushtrain.conclusion import judge_error
from pushtrain.drivers import start_driver
from pushtrain.errors import Abandoned, LeaseLost, PushtrainError
from pushtrain.events import DriverLost, Judged, Published, Warned
from pushtrain.record import RunRecord
from pushtrain.store import LiveRun, RunFolder, Store

_log = logging.getLogger(__name__)

IsDue: TypeAlias = Callable[[RunRecord], bool]
"""Whether a run, as it stands now, still needs what was planned for it."""


class Rescue:
    """Starts drivers, judges what they keep dying of, and clears away what never began.

    Every method gives False where nothing was to be done any more, and raises JournalError for a
    run that cannot be read or written.

    Args:
        store: the runs.
        tell: tells people of a run's verdict; may raise.
        check: raises the PushtrainError that any driver would end with at once, such as for
            settings that cannot be read: then none is started, and none counts as lost.
    """

    def __init__(
        self,
        store: Store,
        tell: Callable[[LiveRun], object],
        check: Callable[[], object] = lambda: None,
    ) -> None:
        self._store = store
        self._tell = tell
        self._check = check

    def resume(self, run: str, is_due: IsDue) -> bool:
        """Starts a driver that goes on with a run, or publishes its verdict."""
        self._check()
        folder = self._folder(run)
        with _taken(folder) as live:
            if live is None or not is_due(live.record):
                return False
            assert live.lease is not None
            live.append(DriverLost(live.record.drivers_lost + 1, live.lease.heir_of))
        start_driver(folder).close()
        return True

    def give_up(self, run: str, is_due: IsDue) -> bool:
        """Judges a run whose drivers keep dying as failed; where they die of its publication, or
        cannot do it, ends that."""
        folder = self._folder(run)
        with _taken(folder) as live:
            if live is None or not is_due(live.record):
                return False
            record = live.record
            log = folder.driver_log
            if record.verdict is not None:
                live.append(Warned(f"its publication was given up: see {log}"))
                self._tell_of(live)
                live.append(Published())
                return True
            error = Abandoned(
                f"run {run}: its driver died {record.drivers_lost + 1} times in a row",
                hint=f"see {log} and the machine's own log, then `pushtrain resume {run}`",
                run=run,
            )
            live.append(Judged(judge_error(record, error, time.time())))
            if record.reproduces is not None:
                live.append(Published())
                return True
        start_driver(folder).close()
        return True

    def _tell_of(self, live: LiveRun) -> None:
        """The last time that it is tried."""
        try:
            self._tell(live)
        except LeaseLost:
            raise
        except Exception as error:
            if not isinstance(error, PushtrainError | OSError):
                _log.exception("run %s", live.id)
            live.append(Warned(f"people are not told: {error}"))

    def discard(self, run: str) -> bool:
        """Removes the folder of a run that never began."""
        folder = self._folder(run)
        with folder.driving() as lease:
            if lease is None or folder.has_begun:
                return False
            shutil.rmtree(folder.path)
        return True

    def _folder(self, run: str) -> RunFolder:
        return RunFolder(run, self._store.home / "runs" / run)


@contextmanager
def _taken(folder: RunFolder) -> Iterator[LiveRun | None]:
    """The run, for whoever got its lease."""
    with folder.driving() as lease:
        yield None if lease is None else LiveRun(folder, lease=lease)
