"""Trial after trial, in one worker or several, until the objective is met or the budget ends."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace

from pushtrain.attempts import Attempts, Means
from pushtrain.entities import (
    Cause,
    Epoch,
    Failure,
    KnobValues,
    Role,
    RunState,
    TrialResult,
    TrialSpec,
    TrialState,
)
from pushtrain.errors import PushtrainError
from pushtrain.events import (
    AttemptFailed,
    DataRead,
    EpochEnded,
    TrialEnded,
    TrialResumed,
    TrialStarted,
    Warned,
)
from pushtrain.interfaces import Proposal, Rewriter, Searcher
from pushtrain.objective import epoch_value
from pushtrain.processes import Process
from pushtrain.record import CONFIRMATION, RunRecord
from pushtrain.relaunch import next_attempt
from pushtrain.store import LiveRun

_log = logging.getLogger(__name__)

_POLL = 0.5
"""Seconds between two looks at the clock and at what other processes wrote in the journal."""

_MOST_FAILURES = 3
"""Trials that may fail by the same cause before any gave a value."""

_GOES_ON = (RunState.STOPPED, RunState.SUPERSEDED)
"""Ends of a run that `pushtrain resume` can go on with."""

_HOPELESS = (Cause.DOWNLOAD, Cause.NO_VALUE, Cause.MISSING_MODULE)
"""Causes that no other knob value can cure."""

ON_TRAINING_DATA = (
    "the target was reached only on the data that the model was trained on, which proves nothing "
    "and is refused; let the script evaluate on held-out data, or give `fit` validation data"
)


@dataclass(frozen=True, slots=True)
class Ending:
    """Why the trials ended: a finished state, what was spent, and for a failure what it was."""

    state: RunState
    failure: Failure | None = None
    spent: str = ""


TIME_SPENT = "the time is spent: raise --time"
TRIALS_SPENT = "the trials are spent: raise --trials"
ALL_TRIED = (
    "every set of values was tried: widen [knobs] in pushtrain.toml, or make more of the script's "
    "values literals"
)


@dataclass(frozen=True, slots=True)
class Study:
    """What is tried.

    Attributes:
        searcher: proposes values; told of every end.
        rewriter: puts values into the source.
    """

    searcher: Searcher
    rewriter: Rewriter


class Training:
    """The trials of one run.

    Each worker is driven by a thread of its own; they share the searcher and the journal. The
    calling thread watches the clock and the journal (`pushtrain stop` writes there).

    Args:
        live: the run; its record says what has been trained already.
        make_study: makes what is tried, while the first workers import their framework.
        means: what it is trained with.
        seconds_left: what remains of the budget's wall-clock time.
    """

    def __init__(
        self,
        live: LiveRun,
        make_study: Callable[[], Study],
        means: Means,
        seconds_left: Callable[[], float],
    ) -> None:
        self._live = live
        self._make_study = make_study
        self._study: Future[Study] = Future()
        self._means = means
        self._seconds_left = seconds_left
        self._lock = threading.RLock()
        self._workers: list[Attempts] = []
        self._leaving = ThreadPoolExecutor(thread_name_prefix="leaving")
        self._left: list[Future[None]] = []
        self._ending: Ending | None = None
        self._waiting: list[TrialStarted] = list(live.record.running.values())

    def until_met(self) -> Ending:
        """Trains until the objective is met, the budget ends, or someone stops the run.

        Raises:
            TrainingError, SandboxError, EngineUnreachable, JournalError: training cannot go on.
        """
        return self._train(self._live.record.wishes.parallel)

    def confirm(self, winner: TrialResult, seeds: Sequence[int]) -> None:
        """Repeats the winner under other seeds; errors as `until_met`."""
        record = self._live.record
        interrupted = [s for s in record.running.values() if s.origin == CONFIRMATION]
        known = {result.seed for result in record.confirmations} | {s.seed for s in interrupted}
        new = [seed for seed in seeds if seed not in known]
        self._waiting = interrupted + [
            TrialStarted(number, dict(winner.values), seed, CONFIRMATION)
            for number, seed in enumerate(new, max(record.origins) + 1)
        ]
        if self._waiting:
            self._ending = None
            self._train(1, only_waiting=True)

    def close(self) -> None:
        """Waits until all workers are gone, which takes longer than their last trials; idempotent.

        Called after everything else; whatever else there is to do can be done before.
        """
        self._leaving.shutdown()
        for future in self._left:
            future.result()

    def _train(self, workers: int, *, only_waiting: bool = False) -> Ending:
        self._look()
        with ThreadPoolExecutor(workers, thread_name_prefix="worker") as pool:
            futures = [pool.submit(self._work, i, only_waiting) for i in range(workers)]
            try:
                self._prepare()
                self._supervise(futures)
            finally:
                self._halt(Ending(RunState.STOPPED))
        assert self._ending is not None
        for error in filter(None, (future.exception() for future in futures)):
            # What happens while the workers go does not undo what was reached.
            if self._ending.state is not RunState.MET or not isinstance(error, PushtrainError):
                raise error
            self._live.append(Warned(f"after the target was met: {error}"))
        return self._ending

    def _prepare(self) -> None:
        """Makes the study, once; the workers wait for it, or end by the same error."""
        if not self._study.done():
            try:
                self._study.set_result(self._make_study())
            except BaseException as error:
                self._study.set_exception(error)
                raise

    def _supervise(self, futures: list[Future[None]]) -> None:
        pending = set(futures)
        while pending:
            done, pending = wait(pending, _POLL)
            if any(future.exception() for future in done):
                return
            self._look()
        spent = ALL_TRIED if self._trials_left() > 0 else TRIALS_SPENT
        self._halt(Ending(RunState.SPENT, spent=spent))

    def _look(self) -> None:
        """At the journal, where others ask the run to stop, and at the clock."""
        stop = self._live.refresh().stop
        if stop is not None:
            is_superseded = stop.superseded_by is not None
            self._halt(Ending(RunState.SUPERSEDED if is_superseded else RunState.STOPPED))
        if self._seconds_left() <= 0:
            self._halt(Ending(RunState.SPENT, spent=TIME_SPENT))

    def _halt(self, ending: Ending) -> None:
        """Ends everything in flight; the first reason to do so stands."""
        with self._lock:
            if self._ending is not None:
                return
            self._ending = ending
            workers = list(self._workers)
        keep = ending.state in _GOES_ON
        self._left += [self._leaving.submit(worker.stop, keep=keep) for worker in workers]

    def _work(self, index: int, only_waiting: bool) -> None:
        attempts = Attempts(
            self._live,
            index,
            self._means,
            self._spec,
            _Watcher(self._live, self._study),
            on_data=self._note_data,
        )
        try:
            with self._lock:
                if self._ending is not None:
                    return
                self._workers.append(attempts)
            attempts.warm_up()
            study = self._study.result()
            while (started := self._next(study, index, only_waiting)) is not None:
                self._take(study, attempts.train(started))
        finally:
            self._left.append(self._leaving.submit(attempts.close))

    def _note_data(self, fingerprints: Mapping[str, str]) -> None:
        with self._lock:
            known = self._live.record.data_directories
            if fingerprints and dict(known) != dict(fingerprints):
                if known:
                    self._live.append(Warned("a declared data directory changed during the run"))
                self._live.append(DataRead(dict(fingerprints)))

    def _next(self, study: Study, index: int, only_waiting: bool) -> TrialStarted | None:
        """The next trial, already in the journal; None when there is to be none."""
        with self._lock:
            if self._ending is not None:
                return None
            started = self._interrupted(index)
            if started is None:
                if only_waiting or self._trials_left() <= 0:
                    return None
                proposal = study.searcher.ask(self._live.record.refused)
                if proposal is None:
                    return None
                started = _start(proposal, self._live.record.seed, index)
            self._live.append(started)
            return started

    def _interrupted(self, index: int) -> TrialStarted | None:
        """A trial that waits for this worker, which has its checkpoints: its next attempt."""
        record = self._live.record
        for started in self._waiting:
            if started.worker == index:
                self._waiting.remove(started)
                if started.trial not in record.running:
                    return started
                failure = _abandoned(self._live, started)
                if failure is not None:
                    record = self._live.append(
                        AttemptFailed(started.trial, started.attempt, failure, 0.0)
                    )
                return next_attempt(record, started)
        return None

    def _trials_left(self) -> int:
        record = self._live.record
        assert record.budget is not None
        return record.budget.trials - len(record.origins)

    def _spec(self, started: TrialStarted) -> TrialSpec:
        return TrialSpec(
            number=started.trial,
            values=started.values,
            seed=started.seed,
            changed=self._study.result().rewriter(started.values),
            attempt=started.attempt,
            resumes=started.resumes,
        )

    def _take(self, study: Study, result: TrialResult) -> None:
        """Writes a result down, tells the searcher, and draws the consequences."""
        result = _blamed(result)
        before = self._live.record
        record = self._live.append(TrialEnded(result))
        if record.origins.get(result.number) == CONFIRMATION:
            return
        study.searcher.tell(result)
        assert record.objective is not None
        measurement = result.measurement
        if result.state is TrialState.COMPLETE and measurement is not None:
            reached = record.objective.is_met(measurement.value)
            if reached and measurement.role.is_evidence:
                self._halt(Ending(RunState.MET))
            elif measurement.role is Role.TRAINING:
                if reached:
                    self._live.append(Warned(ON_TRAINING_DATA))
                self._halt(Ending(RunState.SPENT))
        failure = result.failure
        if failure is not None and (
            _is_final(result.number, failure.cause)
            or _is_fruitless(record, failure.cause)
            or self._means.policy.is_broken(before, failure)
        ):
            self._halt(Ending(RunState.FAILED, failure))


class _Watcher:
    """Passes what a running trial shows on to the journal and the searcher."""

    def __init__(self, live: LiveRun, study: Future[Study]) -> None:
        self._live = live
        self._study = study

    def on_epoch(self, trial: int, epoch: Epoch, epochs: int | None) -> bool:
        if epoch in self._live.record.epochs.get(trial, ()):
            return False  # an attempt that goes on says again what was before it
        record = self._live.append(EpochEnded(trial, epoch, epochs))
        assert record.objective is not None
        value = epoch_value(epoch, record.objective)
        if value is None or record.origins.get(trial) == CONFIRMATION:
            return False
        return self._study.result().searcher.should_prune(trial, epoch.number, value)

    def on_log(self, trial: int, text: str) -> None:
        """The trainer keeps the log; nothing to do."""

    def on_resumed(self, trial: int, attempt: int, epochs: int) -> None:
        self._live.append(TrialResumed(trial, attempt, epochs))

    def on_alive(self, trial: int, memory: int) -> None:
        _log.debug("trial %d uses %d bytes", trial, memory)


def _start(proposal: Proposal, seed: int, worker: int) -> TrialStarted:
    values: KnobValues = proposal.values
    return TrialStarted(proposal.number, dict(values), seed, proposal.origin, worker=worker)


def _abandoned(live: LiveRun, started: TrialStarted) -> Failure | None:
    """Why an attempt under way has nobody to go on with it; None where it has failed already, or
    was stopped by hand."""
    attempts = live.record.failed_attempts.get(started.trial, ())
    has_failed = bool(attempts) and attempts[-1].attempt == started.attempt
    before = live.lease.heir_of if live.lease is not None else None
    before = before or live.record.lost_driver
    if has_failed or before is None:
        return None
    is_here = before.boot == Process.this().boot
    cause = Cause.DRIVER_GONE if is_here else Cause.MACHINE_GONE
    who = f"process {before.pid} on {before.host}"
    return Failure(cause, f"trial {started.trial} of run {live.id}: its driver is gone ({who})")


def _blamed(result: TrialResult) -> TrialResult:
    """A script that ran as pushed and raises with other values refuses those values."""
    failure = result.failure
    if failure is None or result.number == 0 or failure.cause is not Cause.USER_ERROR:
        return result
    return replace(result, failure=replace(failure, cause=Cause.REJECTED))


def _is_final(number: int, cause: Cause) -> bool:
    return cause in _HOPELESS or (number == 0 and cause is Cause.USER_ERROR)


def _is_fruitless(record: RunRecord, cause: Cause) -> bool:
    """Whether nothing but this failure has come of the run, often enough to give up."""
    causes = [result.failure.cause for result in record.trials.values() if result.failure]
    nothing_else = len(causes) == len(record.trials) and set(causes) == {cause}
    return nothing_else and len(causes) >= _MOST_FAILURES
