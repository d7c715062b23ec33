"""The reconciler: what the journals say should be, against what is, and what follows from it.

`plan` is pure. A run without a driver gets a new one until its verdict stands and is published, a
few times at most; what a run that nobody works on has on the engine is removed. Every pass starts
from nothing, and whatever it does to a run it does with that run's lease: so a monitor may die at
any instant, and any number of them may run.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from pushtrain.errors import JournalError, PushtrainError
from pushtrain.interfaces import LABEL_RUN, Engine, EngineEvents, SandboxState, VolumeState
from pushtrain.inventory import Inventory, StoredRun
from pushtrain.lease import Standing
from pushtrain.record import RunRecord
from pushtrain.rescue import Rescue
from pushtrain.store import RunFolder, Store

_log = logging.getLogger(__name__)

MOST_DRIVERS = 5
"""New drivers in a row that a run gets; one that dies more often is broken by what it does."""
_GRACE = 10.0
"""Seconds that a driver may take to begin; doubled with each one that died."""
_LOOK = 1.0
"""Seconds between two looks at who drives what; also the least between two passes."""


class What(StrEnum):
    """What a pass does about something."""

    RESUME = "resume"
    """A new driver goes on with the run, or publishes its verdict."""
    GIVE_UP = "give up"
    """The run's drivers keep dying: it is judged as failed, or its publication ends."""
    REMOVE = "remove"
    """A container of a run that nobody works on is removed."""
    REMOVE_CHECKPOINTS = "remove checkpoints"
    """A volume of a run that is over is removed: checkpoints, or what a container left."""
    DISCARD = "discard"
    """What is left of a run that never began is removed."""
    DELIVER = "deliver"
    """Something that waited is delivered: a message, or a push for a build server."""
    EXAMINE = "examine"
    """Something cannot be read or reached: somebody has to look at it."""


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do.

    Attributes:
        what: the kind of thing.
        subject: a run's id, or the name of a container or volume.
        why: for people.
        id: of the container, which no later one of the same name has.
    """

    what: What
    subject: str
    why: str
    id: str = ""


OnAction: TypeAlias = Callable[[Action, str], None]
"""Hears of each action when it is done, with the error where it failed."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """What the engine holds with our labels, whoever it belongs to."""

    containers: tuple[SandboxState, ...] = ()
    volumes: tuple[VolumeState, ...] = ()


def due(
    record: RunRecord, standing: Standing, now: float, *, has_engine: bool = True
) -> Action | None:
    """What is to be done to one run by its lease; None for nothing yet.

    Args:
        record: what its journal tells.
        standing: how it stands with its driver's lease.
        now: Unix time.
        has_engine: whether the engine answers; without one nothing can be trained.
    """
    is_over = record.verdict is not None
    is_cared_for = standing.is_live or (is_over and record.is_published)
    if is_cared_for or not _has_waited(record, standing, now):
        return None
    if record.reproduces is not None:
        return Action(What.GIVE_UP, record.id, "whoever reproduced a run by it is gone")
    if record.drivers_lost >= MOST_DRIVERS and is_over:
        why = f"{record.drivers_lost} drivers in a row did not publish it"
        return Action(What.GIVE_UP, record.id, why)
    if record.drivers_lost >= MOST_DRIVERS:
        return Action(What.GIVE_UP, record.id, f"{record.drivers_lost} drivers in a row died")
    if is_over:
        return Action(What.RESUME, record.id, "its verdict is not published")
    how = "does not answer" if standing is Standing.SILENT else "died"
    why = f"driver {record.drivers_lost + 1} of it {how}"
    return Action(What.RESUME, record.id, why) if has_engine else None


def _has_waited(record: RunRecord, standing: Standing, now: float) -> bool:
    """Whether nobody is about to drive it; a clock that was set back keeps nobody waiting."""
    if record.drivers_lost:
        return not 0 <= now - record.driver_lost < _GRACE * 2.0**record.drivers_lost
    has_died = standing in (Standing.GONE, Standing.SILENT)
    return has_died or not 0 <= now - record.updated < _GRACE


def plan(
    runs: Iterable[StoredRun],
    observed: Holdings | None,
    never_begun: Iterable[RunFolder],
    now: float,
) -> tuple[Action, ...]:
    """What is to be done, in this order.

    Args:
        runs: all runs.
        observed: what the engine held before the runs were looked at, so that none of it is of a
            driver that came later; None where it does not answer. What belongs to runs that are
            not known here is somebody else's.
        never_begun: what is left of runs whose process died before they began.
        now: Unix time.
    """
    runs = tuple(runs)
    held = observed or Holdings()
    idle = {run.folder.id for run in runs if not run.is_driven}
    over = {run.folder.id for run in runs if not run.is_driven and _is_over(run.record)}
    steps = (
        due(run.record, run.standing, now, has_engine=observed is not None)
        for run in runs
        if run.record is not None
    )
    return (
        *(
            Action(What.REMOVE, container.name, "nobody works on its run", container.id)
            for container in held.containers
            if container.labels.get(LABEL_RUN) in idle
        ),
        *(
            Action(What.REMOVE_CHECKPOINTS, volume.name, "its run is over")
            for volume in held.volumes
            if volume.labels.get(LABEL_RUN) in over
        ),
        *(Action(What.DISCARD, folder.id, "its run never began") for folder in never_begun),
        *(Action(What.EXAMINE, run.folder.id, run.problem) for run in runs if run.problem),
        *filter(None, steps),
    )


def _is_over(record: RunRecord | None) -> bool:
    """Whether nobody will ask for a run's checkpoints any more."""
    return record is not None and record.verdict is not None and not record.verdict.goes_on


class Monitor:
    """Looks, plans and acts. Not thread-safe.

    Args:
        store: the runs.
        engine: where their containers are.
        rescue: what is done to runs.
        deliver: delivers what waits, and gives what it did.
    """

    def __init__(
        self,
        store: Store,
        engine: Engine,
        rescue: Rescue,
        deliver: Callable[[], Iterable[tuple[Action, str]]],
    ) -> None:
        self._engine = engine
        self._rescue = rescue
        self._deliver = deliver
        self._inventory = Inventory(store)

    def once(self, on_action: OnAction) -> bool:
        """One pass and one round of deliveries; whether everything that was to be done was done.

        Args:
            on_action: hears of each action.
        """
        went_well = True

        def tell(action: Action, error: str) -> None:
            nonlocal went_well
            went_well = went_well and not error
            on_action(action, error)

        self._pass(tell, waits=True)
        self._deliver_all(tell)
        return went_well

    def watch(self, events: EngineEvents, interval: float, on_action: OnAction) -> None:
        """Pass after pass: after each of the engine's events, when a driver dies, and from time to
        time. Never ends.

        Args:
            events: of the engine.
            interval: seconds after which a pass is made, whatever has happened, and between two
                rounds of deliveries.
            on_action: hears of each action, but once only of a failure that stays the same; called
                from two threads.
        """
        wake = threading.Event()
        threading.Thread(target=_listen, args=(events, wake), daemon=True).start()
        # A server that hangs holds up deliveries alone.
        threading.Thread(
            target=self._go_on_delivering, args=(interval, on_action), daemon=True
        ).start()
        news = _News(on_action)
        while True:
            began = time.monotonic()
            self._pass(news.hear, waits=False)
            news.end()
            while time.monotonic() < began + interval and not self._has_news():
                if wake.wait(_LOOK):
                    break
            wake.clear()
            time.sleep(max(began + _LOOK - time.monotonic(), 0.0))

    def _go_on_delivering(self, interval: float, on_action: OnAction) -> None:
        news = _News(on_action)
        while True:
            self._deliver_all(news.hear)
            news.end()
            time.sleep(interval)

    def _deliver_all(self, tell: OnAction) -> None:
        try:
            for action, problem in self._deliver():
                tell(action, problem)
        except Exception as error:  # or nothing would be delivered any more
            if not isinstance(error, PushtrainError | OSError):
                _log.exception("deliveries")
            tell(Action(What.DELIVER, "messages", "they cannot be looked at"), str(error))

    def _pass(self, tell: OnAction, *, waits: bool) -> None:
        """Looks, plans and acts; `waits` watches the leases in doubt for some seconds."""
        held = self._look(tell)
        try:
            runs = self._inventory.runs(waits=waits)
            now = time.time()
            actions = plan(runs, held, self._inventory.never_begun(now), now)
        except JournalError as error:
            tell(Action(What.EXAMINE, "runs", "they cannot be listed"), str(error))
            return
        standings = {run.folder.id: run.standing for run in runs}
        for action in actions:
            try:
                if self._act(action, standings):
                    tell(action, "")
            except Exception as error:
                if not isinstance(error, PushtrainError | OSError):
                    _log.exception("%s %s", action.what, action.subject)
                tell(action, str(error))

    def _look(self, tell: OnAction) -> Holdings | None:
        try:
            return Holdings(
                tuple(self._engine.find({LABEL_RUN: ""})),
                tuple(self._engine.volumes({LABEL_RUN: ""})),
            )
        except PushtrainError as error:
            tell(Action(What.EXAMINE, "engine", "it does not say what it holds"), str(error))
            return None

    def _has_news(self) -> bool:
        try:
            return self._inventory.has_news()
        except JournalError:
            return False  # the next pass tells

    def _act(self, action: Action, standings: dict[str, Standing]) -> bool:
        """Does it; False where nothing was to be done any more."""

        def is_still_due(record: RunRecord) -> bool:
            now = due(record, standings[action.subject], time.time())
            return now is not None and now.what is action.what

        match action.what:
            case What.RESUME:
                return self._rescue.resume(action.subject, is_still_due)
            case What.GIVE_UP:
                return self._rescue.give_up(action.subject, is_still_due)
            case What.REMOVE:
                self._engine.remove(action.id)
            case What.REMOVE_CHECKPOINTS:
                self._engine.remove_volume(action.subject)
            case What.DISCARD:
                return self._rescue.discard(action.subject)
            case What.EXAMINE:
                raise JournalError(action.why)
        return True


class _News:
    """Passes on what is done, and of what fails only what did not fail so the time before."""

    def __init__(self, on_action: OnAction) -> None:
        self._on_action = on_action
        self._known: set[tuple[Action, str]] = set()
        self._failed: set[tuple[Action, str]] = set()

    def hear(self, action: Action, error: str) -> None:
        """Something was done."""
        if error:
            self._failed.add((action, error))
        if (action, error) not in self._known:
            self._on_action(action, error)

    def end(self) -> None:
        """A pass is over."""
        self._known, self._failed = self._failed, set()


def _listen(events: EngineEvents, wake: threading.Event) -> None:
    for _ in events.wakeups():
        wake.set()
