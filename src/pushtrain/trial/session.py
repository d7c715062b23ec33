"""One trial on one worker, from its order to its end."""

from __future__ import annotations

import logging
import threading
import time

from pushtrain.entities import Artifact, Cause, Epoch, Failure, TrialResult
from pushtrain.errors import SandboxError
from pushtrain.interfaces import SandboxState, TrialWatcher
from pushtrain.trial.bundle import order_files
from pushtrain.trial.folder import TrialFolder
from pushtrain.trial.job import Patience, Trial, clean
from pushtrain.trial.outcome import TrialEnd, judge
from pushtrain.trial.protocol import (
    MAX_EPOCHS,
    MAX_RESULT,
    Alive,
    BadOutput,
    EpochPassed,
    ImportFailed,
    Logged,
    Ready,
    Resumed,
    TrialBegan,
    TrialOrder,
    TrialOutcome,
    TrialOver,
    WorkerEvent,
    parse_result,
)
from pushtrain.trial.warm_worker import WarmWorker, WorkerEnded

_log = logging.getLogger(__name__)


class _Overdue(Exception):
    """The worker did not end the trial in time."""


class _Silent(Exception):
    """Nothing was heard of the worker for too long, though its container runs."""


class Session:
    """Trains one trial; used once.

    Args:
        trial: the trial.
        worker: ready, and not under way with another trial.
        folder: where its log and its files go; open.
        watcher: hears of it.
        patience: how long to wait.
    """

    def __init__(
        self,
        trial: Trial,
        worker: WarmWorker,
        folder: TrialFolder,
        watcher: TrialWatcher,
        patience: Patience,
    ) -> None:
        self._trial = trial
        self._worker = worker
        self._folder = folder
        self._watcher = watcher
        self._patience = patience
        self._number = trial.spec.number
        self._attempt = 1
        self._began = self._deadline = 0.0
        self._epochs: list[Epoch] = []
        self._pruned = False
        self.is_orderly = False
        """Whether the trial came to its end by the protocol: the worker can take the next one."""

    def train(self, order: TrialOrder, stopping: threading.Event) -> TrialResult:
        """Gives the order and hears the trial out; its failure is a result.

        Args:
            order: the trial's order.
            stopping: set from another thread, which also wakes the worker: ends it at once.

        Raises:
            EngineUnreachable: the engine does not answer.
            SandboxError: the order cannot be given.
            JournalError: the trial's folder cannot be written.
        """
        self._attempt = order.attempt
        files = order_files(order, self._trial.spec.changed)
        self._worker.put(f"inbox/{self._number}-{self._attempt}", files)
        self._began = time.monotonic()
        self._deadline = (
            self._began + order.time_limit + self._patience.grace + self._patience.slack
        )
        end = self._end(stopping)
        return judge(self._trial, end, pruned=self._pruned, stopped=stopping.is_set())

    def _end(self, stopping: threading.Event) -> TrialEnd:
        outcome: TrialOutcome | None = None
        artifacts: tuple[Artifact, ...] = ()
        failure: Failure | None = None
        try:
            over = self._listen(stopping)
            if over is not None:
                outcome, artifacts = self._bring_out(over)
                self.is_orderly = True
        except BadOutput as problem:
            failure = self._bad_output(str(problem))
        except WorkerEnded as ended:
            failure = self._death(ended.state)
        except _Overdue:
            failure = self._overdue()
        except _Silent:
            failure = self._stalled()
        seconds = time.monotonic() - self._began
        return TrialEnd(outcome, tuple(self._epochs), seconds, artifacts, failure)

    # --- while it trains -----------------------------------------------------------------------

    def _listen(self, stopping: threading.Event) -> TrialOver | None:
        """Hears the worker until the trial is over; None when it is to be stopped."""
        heard = time.monotonic()
        while not stopping.is_set():
            until = min(self._deadline, heard + self._patience.silence)
            event = self._worker.next(until - time.monotonic())
            if event is not None:
                heard = time.monotonic()
                self._check(event)
            match event:
                case TrialOver():
                    return event
                case EpochPassed():
                    self._on_epoch(event)
                case Resumed():
                    self._watcher.on_resumed(self._number, self._attempt, event.epochs)
                case Logged():
                    self._folder.add_log(event.text)
                    self._watcher.on_log(self._number, event.text)
                case Alive():
                    self._watcher.on_alive(self._number, event.memory)
            if time.monotonic() >= self._deadline:
                raise _Overdue
            if time.monotonic() >= heard + self._patience.silence:
                raise _Silent
        return None

    def _check(self, event: WorkerEvent) -> None:
        if isinstance(event, Ready | ImportFailed):
            raise BadOutput(f"{event.event!r} in the middle of a trial")
        if event.trial != self._number:
            raise BadOutput(f"{event.event!r} of trial {event.trial}")
        if isinstance(event, TrialBegan) and event.attempt != self._attempt:
            raise BadOutput(f"attempt {event.attempt} instead of {self._attempt}")

    def _on_epoch(self, event: EpochPassed) -> None:
        if self._epochs and event.epoch <= self._epochs[-1].number:
            raise BadOutput(f"epoch {event.epoch} after epoch {self._epochs[-1].number}")
        if len(self._epochs) >= MAX_EPOCHS:
            raise BadOutput(f"more than {MAX_EPOCHS} epochs")
        epoch = Epoch(event.epoch, event.metrics, event.seconds)
        self._epochs.append(epoch)
        if self._watcher.on_epoch(self._number, epoch, event.epochs) and not self._pruned:
            self._pruned = True
            self._worker.signal("SIGUSR1")
            most = time.monotonic() + self._patience.grace + self._patience.slack
            self._deadline = min(self._deadline, most)

    # --- its end -------------------------------------------------------------------------------

    def _bring_out(self, over: TrialOver) -> tuple[TrialOutcome, tuple[Artifact, ...]]:
        """The outcome and the files; nothing is brought out of a trial that cannot count."""
        outcome = over.result
        cannot_count = self._pruned or bool(outcome and outcome.exit.disk_exceeded)
        if outcome is not None and (cannot_count or outcome.files == 0):
            return self._checked(outcome), ()
        most = self._trial.job.limits.disk + MAX_RESULT
        try:
            fetched = self._worker.fetch(f"trials/{self._number}/out", most=most)
            content, artifacts = self._folder.take(fetched)
        except SandboxError as error:
            state = self._worker.state()
            if state is None or not state.is_running:
                raise WorkerEnded(state) from error
            raise BadOutput(error.message) from error
        return self._checked(parse_result(content) if outcome is None else outcome), artifacts

    def _checked(self, outcome: TrialOutcome) -> TrialOutcome:
        if (outcome.trial, outcome.attempt) != (self._number, self._attempt):
            raise BadOutput(f"the result of trial {outcome.trial}, attempt {outcome.attempt}")
        return outcome

    def _bad_output(self, problem: str) -> Failure:
        _log.warning("%s: bad output: %s", self._trial, problem)
        return Failure(
            Cause.BAD_OUTPUT,
            f"{self._trial}: what came out of its container breaks the protocol: {problem}",
            hint="see whether the script writes to places that are not its own",
        )

    def _death(self, state: SandboxState | None) -> Failure:
        image = self._trial.image
        if self._worker.engine_was_away:
            return Failure(
                Cause.ENGINE_GONE,
                f"{self._trial}: the engine went away, and its container with it, image {image}",
                hint="see the engine's own log",
            )
        if state is None:
            return Failure(
                Cause.KILLED,
                f"{self._trial}: its container was removed from outside, image {image}",
                hint="see who removed it",
            )
        if state.oom_killed and state.exit_code == 137:
            return Failure(
                Cause.OUT_OF_MEMORY,
                f"{self._trial}: container killed (exit 137, OOMKilled) in image {image}",
                hint="raise limits.memory in pushtrain.toml, or use smaller batches",
            )
        how = "its output ended" if state.is_running else f"exit {state.exit_code}"
        told = f": {clean(state.error)}" if state.error else ""
        return Failure(
            Cause.KILLED,
            f"{self._trial}: container ended before the trial did ({how}) in image {image}{told}",
            hint="see who killed it",
        )

    def _stalled(self) -> Failure:
        return Failure(
            Cause.STALLED,
            f"{self._trial}: nothing was heard of its worker for {self._patience.silence:g} s, "
            f"though its container runs, image {self._trial.image}",
            hint="see whether somebody paused it, or its host is overloaded",
        )

    def _overdue(self) -> Failure:
        waited = time.monotonic() - self._began
        return Failure(
            Cause.TIME_LIMIT,
            f"{self._trial} did not end within {self._trial.job.trial_seconds:g} s, and its worker "
            f"did not end it either (waited {waited:.0f} s, container removed)",
            hint="raise budget.trial_time in pushtrain.toml, or look for what blocks the script",
        )
