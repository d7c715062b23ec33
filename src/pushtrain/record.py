"""What a journal tells of its run: the events so far, folded into one record."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from pushtrain.entities import (
    Budget,
    Cause,
    Detection,
    Epoch,
    Failure,
    Image,
    ImagePlan,
    Knob,
    KnobValues,
    Objective,
    Push,
    RunState,
    TrialResult,
    TrialState,
    Verdict,
    Wishes,
)
from pushtrain.events import (
    AttemptFailed,
    DataRead,
    DriverLost,
    Entry,
    EpochEnded,
    ImageReady,
    Judged,
    KnobsFound,
    MessageFailed,
    MessageQueued,
    MessageSent,
    PatchCommitted,
    Planned,
    Published,
    Reopened,
    Replanned,
    RunStarted,
    StateChanged,
    StopRequested,
    TrialEnded,
    TrialResumed,
    TrialStarted,
    Warned,
)
from pushtrain.processes import Process

_T = TypeVar("_T")

CONFIRMATION = "confirmation"
"""The origin of a trial that repeats the winner under another seed."""


MISHAPS = frozenset({Cause.CRASH, Cause.KILLED, Cause.STALLED})
"""Ends that happen to any script, and to a machine that is not well again and again."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run as its journal tells it, at one moment.

    What has not happened yet is None or empty. Times are Unix seconds.

    Attributes:
        id: the run's id.
        state: where it stands.
        started: when it began.
        updated: when the last event was written.
        trials: the finished trials, by number, in the order of their end.
        running: the trials under way, by number.
        cut_off: the trials that were under way when the run was ended, by number.
        plan, first_plan: the image that is trained in, and the one before modules were added.
        origins: where each started trial's values come from.
        epochs: the epochs so far of the trials that are under way or were cut off.
        failed_attempts: the attempts that were followed by another one, by trial.
        furthest: the last epoch that any attempt has finished, by trial.
        forgiven: the last failed attempt, by trial, after which an attempt got further, or somebody
            asked for the run again: misfortunes before it say nothing about those to come.
        in_vain: attempts in a row, over all trials, that ended by no fault of the script and
            finished no epoch.
        refused: values that a remedy exchanged for others: there is not enough memory for them.
        memory, shm: bytes that containers get, where more was needed than was granted first.
        seconds_told: how long the attempts under way have trained, by trial, as far as their
            epochs tell.
        seconds_lost: how long attempts trained that were cut off.
        drivers_lost: how often in a row the monitor had to start a new driver: since a trial got
            further, or the run came to its end.
        driver_lost: when it did last.
        lost_driver: the process that had driven the run then, where that is known.
        stop: the request to stop, where one was made.
        data_directories: fingerprints of the declared data directories, by mount point.
        is_published: whether all that the verdict leads to is done.
        verdicts: how many there were, the one that stands included.
        reproduces: the run that this one trains again, for nobody but whoever asked for it.
        tuned_branch: where the winning patch was committed.
        waiting: (key, channel) of messages that are neither sent nor given up.
    """

    id: str
    state: RunState = RunState.STARTED
    push: Push | None = None
    data_fingerprint: str = ""
    version: str = ""
    wishes: Wishes = field(default_factory=Wishes)
    started: float = 0.0
    updated: float = 0.0
    detection: Detection | None = None
    knobs: tuple[Knob, ...] = ()
    objective: Objective | None = None
    budget: Budget | None = None
    plan: ImagePlan | None = None
    first_plan: ImagePlan | None = None
    image: Image | None = None
    image_built: bool = False
    image_seconds: float = 0.0
    data_directories: dict[str, str] = field(default_factory=dict)
    trials: dict[int, TrialResult] = field(default_factory=dict)
    running: dict[int, TrialStarted] = field(default_factory=dict)
    cut_off: dict[int, TrialStarted] = field(default_factory=dict)
    origins: dict[int, str] = field(default_factory=dict)
    epochs: dict[int, tuple[Epoch, ...]] = field(default_factory=dict)
    failed_attempts: dict[int, tuple[AttemptFailed, ...]] = field(default_factory=dict)
    furthest: dict[int, int] = field(default_factory=dict)
    forgiven: dict[int, int] = field(default_factory=dict)
    in_vain: int = 0
    refused: tuple[KnobValues, ...] = ()
    memory: int | None = None
    shm: int | None = None
    planned_epochs: dict[int, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    seconds_told: dict[int, float] = field(default_factory=dict)
    seconds_lost: float = 0.0
    drivers_lost: int = 0
    driver_lost: float = 0.0
    lost_driver: Process | None = None
    stop: StopRequested | None = None
    verdict: Verdict | None = None
    is_published: bool = False
    verdicts: int = 0
    reproduces: str | None = None
    tuned_branch: str | None = None
    waiting: frozenset[tuple[str, str]] = frozenset()

    @property
    def seed(self) -> int:
        """The seed of every trial."""
        return self.wishes.seed

    @property
    def seconds_trained(self) -> float:
        """How long containers have trained, attempts that were cut off included."""
        ended = sum(result.seconds for result in self.trials.values())
        failed = [one for n in self.running for one in self.failed_attempts.get(n, ())]
        under_way = sum(one.seconds for one in failed) + sum(self.seconds_told.values())
        return ended + under_way + self.seconds_lost

    @property
    def missing_modules(self) -> tuple[str, ...]:
        """What scripts imported and the image did not hold, each once, in the order of its loss."""
        failed = (one.failure for each in self.failed_attempts.values() for one in each)
        missing = (one.subject for one in failed if one.cause is Cause.MISSING_MODULE)
        return tuple(dict.fromkeys(missing))

    @property
    def confirmations(self) -> tuple[TrialResult, ...]:
        """The finished trials that repeated the winner under other seeds, in their order."""
        return tuple(r for n, r in self.trials.items() if self.origins.get(n) == CONFIRMATION)

    @property
    def best(self) -> TrialResult | None:
        """The finished trial with the best value that is evidence, the earliest among equals."""
        best: TrialResult | None = None
        for number, result in self.trials.items():
            if self.origins.get(number) == CONFIRMATION:
                continue
            if result.state is not TrialState.COMPLETE or result.measurement is None:
                continue
            if self.objective is None or not result.measurement.role.is_evidence:
                continue
            if self.objective.is_better(result.measurement.value, best.value if best else None):
                best = result
        return best


def fold(run: str, entries: Iterable[Entry], start: RunRecord | None = None) -> RunRecord:
    """The record of a run after `entries`, going on from `start` where one is given."""
    record = start or RunRecord(run)
    for entry in entries:
        record = _after(record, entry)
    return record


def _after(record: RunRecord, entry: Entry) -> RunRecord:  # noqa: PLR0911, PLR0912  one case per event
    record = replace(record, updated=entry.time)
    match entry.event:
        case RunStarted() as event:
            return replace(
                record,
                push=event.push,
                data_fingerprint=event.data_fingerprint,
                version=event.version,
                wishes=event.wishes,
                started=entry.time,
                reproduces=event.reproduces,
            )
        case Planned() as event:
            return replace(
                record,
                detection=event.detection,
                objective=event.objective,
                budget=event.budget,
                plan=event.plan,
                first_plan=event.plan,
                knobs=event.knobs or record.knobs,
            )
        case KnobsFound(knobs=knobs):
            return replace(record, knobs=knobs)
        case ImageReady() as event:
            return replace(
                record, image=event.image, image_built=event.built, image_seconds=event.seconds
            )
        case DataRead(directories=directories):
            return replace(record, data_directories=dict(directories))
        case TrialStarted() as event:
            return replace(
                record,
                running={**record.running, event.trial: event},
                origins={**record.origins, event.trial: event.origin},
                epochs={**record.epochs, event.trial: _kept_epochs(record, event)},
                cut_off=_without(record.cut_off, event.trial),
                seconds_told=_without(record.seconds_told, event.trial),
                seconds_lost=record.seconds_lost + record.seconds_told.get(event.trial, 0.0),
            )
        case AttemptFailed() as event:
            return _after_attempt(record, event)
        case TrialResumed() as event:
            return record
        case Replanned(plan=plan):
            return replace(record, plan=plan)
        case EpochEnded() as event:
            return _with_epoch(record, event)
        case TrialEnded(result=result):
            return _after_trial(record, result)
        case Warned() as event:
            return replace(record, warnings=(*record.warnings, event.message))
        case StopRequested() as event:
            return replace(record, stop=record.stop or event)
        case DriverLost(times=times, driver=driver):
            return replace(record, drivers_lost=times, driver_lost=entry.time, lost_driver=driver)
        case StateChanged() as event:
            return replace(record, state=event.state)
        case Judged() as event:
            return _judged(record, event)
        case Published():
            return replace(record, is_published=True)
        case Reopened():
            return _reopened(record)
        case PatchCommitted(branch=branch):
            return replace(record, tuned_branch=branch)
        case MessageQueued() as event:
            return replace(record, waiting=record.waiting | {(event.key, event.channel)})
        case MessageSent() as event:
            return replace(record, waiting=record.waiting - {(event.key, event.channel)})
        case MessageFailed() as event:
            gone = {(event.key, event.channel)} if event.permanent else set()
            return replace(record, waiting=record.waiting - gone)


def _with_epoch(record: RunRecord, event: EpochEnded) -> RunRecord:
    trial, before = event.trial, record.epochs.get(event.trial, ())
    so_far = (*(one for one in before if one.number < event.epoch.number), event.epoch)
    planned = record.planned_epochs
    if event.epochs is not None:
        planned = {**planned, trial: event.epochs}
    told = record.seconds_told.get(trial, 0.0) + event.epoch.seconds
    if event.epoch.number > record.furthest.get(trial, 0):
        failed = record.failed_attempts.get(trial)
        record = replace(
            record,
            furthest={**record.furthest, trial: event.epoch.number},
            forgiven={**record.forgiven, trial: failed[-1].attempt} if failed else record.forgiven,
            drivers_lost=0,
        )
    return replace(
        record,
        epochs={**record.epochs, trial: so_far},
        planned_epochs=planned,
        seconds_told={**record.seconds_told, trial: told},
        in_vain=0,
    )


def _kept_epochs(record: RunRecord, event: TrialStarted) -> tuple[Epoch, ...]:
    """An attempt that goes on says the epochs before it again."""
    return record.epochs.get(event.trial, ()) if event.resumes else ()


def _after_attempt(record: RunRecord, event: AttemptFailed) -> RunRecord:
    attempts = (*record.failed_attempts.get(event.trial, ()), event)
    told = record.seconds_told.get(event.trial, 0.0)
    before = record.running.get(event.trial)
    refused = () if event.values is None or before is None else (before.values,)
    return replace(
        record,
        failed_attempts={**record.failed_attempts, event.trial: attempts},
        refused=(*record.refused, *refused),
        in_vain=_in_vain(record, event.failure),
        memory=event.memory or record.memory,
        shm=event.shm or record.shm,
        seconds_told=_without(record.seconds_told, event.trial),
        # Of an attempt whose driver died nobody knows more than what its epochs told.
        seconds_lost=record.seconds_lost + max(told - event.seconds, 0.0),
    )


def _in_vain(record: RunRecord, failure: Failure | None) -> int:
    return record.in_vain + 1 if failure is not None and failure.cause in MISHAPS else 0


def _after_trial(record: RunRecord, result: TrialResult) -> RunRecord:
    number = result.number
    is_cut_off = result.state is TrialState.STOPPED and number in record.running
    return replace(
        record,
        in_vain=_in_vain(record, result.failure),
        trials={**record.trials, number: result},
        running=_without(record.running, number),
        cut_off=record.cut_off | ({number: record.running[number]} if is_cut_off else {}),
        epochs=record.epochs if is_cut_off else _without(record.epochs, number),
        seconds_told=_without(record.seconds_told, number),
        drivers_lost=0,
    )


def _judged(record: RunRecord, event: Judged) -> RunRecord:
    cut_off = record.cut_off | record.running
    return replace(
        record,
        verdict=event.verdict,
        state=event.verdict.state,
        is_published=event.is_published,
        verdicts=record.verdicts + 1,
        running={},
        cut_off=cut_off,
        epochs={number: epochs for number, epochs in record.epochs.items() if number in cut_off},
        seconds_told={},
        seconds_lost=record.seconds_lost + sum(record.seconds_told.values()),
        drivers_lost=0,
        lost_driver=None,
    )


def _reopened(record: RunRecord) -> RunRecord:
    """As if its driver had died: what was cut off is under way, what has ended counts."""
    stopped = [result for n, result in record.trials.items() if n in record.cut_off]
    failed = [one for n in record.cut_off for one in record.failed_attempts.get(n, ())]
    lost = sum(result.seconds for result in stopped) - sum(one.seconds for one in failed)
    return replace(
        record,
        state=RunState.STARTED,
        verdict=None,
        stop=None,
        is_published=False,
        tuned_branch=None,
        running=record.cut_off,
        cut_off={},
        trials={n: result for n, result in record.trials.items() if n not in record.cut_off},
        forgiven={n: each[-1].attempt for n, each in record.failed_attempts.items()},
        seconds_lost=record.seconds_lost + lost,
    )


def _without(found: dict[int, _T], number: int) -> dict[int, _T]:
    return {k: v for k, v in found.items() if k != number}
