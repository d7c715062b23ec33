"""The reconciler: what the journals say should be, against what is, and what follows from it.

`plan` is pure. A run without verdict and without driver gets a new driver, a few times at most; a
container of a run that is over is removed. Every pass starts from nothing, so a monitor may die at
any instant.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from pushtrain.cleaning import StoredRun, stored_runs
from pushtrain.conclusion import judge_error
from pushtrain.errors import EngineUnreachable, JournalError, PushtrainError, TrainingError
from pushtrain.events import DriverLost, Judged
from pushtrain.interfaces import LABEL_RUN, Engine, SandboxState
from pushtrain.store import LiveRun, Store

MOST_DRIVERS = 5
"""New drivers that a run gets; one that dies more often is broken by what it does."""
_GRACE = 10.0
"""Seconds without an event before a run without a driver counts as abandoned."""


class What(StrEnum):
    """What a pass does about something."""

    RESUME = "resume"
    """A new driver goes on with the run."""
    GIVE_UP = "give up"
    """The run is judged as failed: its drivers keep dying."""
    REMOVE = "remove"
    """A container of a run that is over is removed."""


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do: `subject` is a run's id or a container's name."""

    what: What
    subject: str
    why: str


def plan(
    runs: Iterable[StoredRun], containers: Iterable[SandboxState], now: float
) -> tuple[Action, ...]:
    """What is to be done.

    Args:
        runs: all runs.
        containers: all containers with our labels; those of runs that are not known here belong
            to somebody else.
        now: Unix time.
    """
    actions = []
    over = set()
    for run in runs:
        record = run.record
        if record is None or run.is_driven:
            continue
        if record.verdict is not None:
            over.add(run.folder.id)
        elif now - record.updated >= _GRACE:
            is_hopeless = record.drivers_lost >= MOST_DRIVERS
            why = f"driver {record.drivers_lost + 1} of it died"
            actions.append(Action(What.GIVE_UP if is_hopeless else What.RESUME, run.folder.id, why))
    removals = (
        Action(What.REMOVE, container.name, "its run is over")
        for container in containers
        if container.labels.get(LABEL_RUN) in over
    )
    return (*actions, *removals)


class Monitor:
    """Looks, plans and acts. Two at once do no harm: passes take turns.

    Args:
        store: the runs.
        engine: where their containers are.
        publish: publishes a run that was given up.
        deliver: delivers what waits for people or for a build server.
    """

    def __init__(
        self,
        store: Store,
        engine: Engine,
        publish: Callable[[LiveRun], None],
        deliver: Callable[[], None],
    ) -> None:
        self._store = store
        self._engine = engine
        self._publish = publish
        self._deliver = deliver

    def once(self, on_action: Callable[[Action, str], None]) -> bool:
        """One pass; whether everything that was to be done was done.

        Args:
            on_action: hears of each action, with the error where it failed.
        """
        went_well = True
        with self._store.lock("monitor"):
            try:
                containers = tuple(self._engine.find({LABEL_RUN: ""}))
            except EngineUnreachable as error:
                containers, went_well = (), False
                on_action(Action(What.REMOVE, "containers", "cannot be looked at"), str(error))
            for action in plan(stored_runs(self._store), containers, time.time()):
                try:
                    self._act(action)
                    on_action(action, "")
                except (PushtrainError, OSError) as error:
                    went_well = False
                    on_action(action, str(error))
        self._deliver()
        return went_well

    def _act(self, action: Action) -> None:
        match action.what:
            case What.RESUME:
                self._resume(action.subject)
            case What.GIVE_UP:
                self._give_up(action.subject)
            case What.REMOVE:
                self._engine.remove(action.subject)

    def _resume(self, run: str) -> None:
        folder = self._store.open(run)
        live = LiveRun(folder)
        live.append(DriverLost(live.record.drivers_lost + 1))
        with (folder.path / "resumed.log").open("ab") as log:
            subprocess.Popen(
                (sys.executable, "-P", "-m", "pushtrain", "resume", run),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _give_up(self, run: str) -> None:
        folder = self._store.open(run)
        with folder.driving() as is_free:
            if not is_free:
                raise JournalError(f"run {run} is worked on again", hint="nothing is to be done")
            live = LiveRun(folder)
            error = TrainingError(
                f"run {run}: its driver died {live.record.drivers_lost + 1} times",
                hint=f"see {folder.path / 'resumed.log'} and the machine's own log",
            )
            live.append(Judged(judge_error(live.record, error, time.time())))
            self._publish(live)
