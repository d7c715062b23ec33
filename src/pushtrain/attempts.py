"""One trial after another on one worker, each through as many attempts as it takes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from pushtrain.entities import Cause, Failure, TrialResult, TrialSpec, TrialState
from pushtrain.errors import EngineUnreachable, ImageError, PushtrainError, SandboxError
from pushtrain.events import AttemptFailed, TrialStarted, Warned
from pushtrain.interfaces import Trainer, TrialWatcher
from pushtrain.relaunch import Policy, Relaunch, next_attempt
from pushtrain.store import LiveRun

_log = logging.getLogger(__name__)

_NO_LONGER = (404, 409)
"""What an engine answers for a container that somebody else has removed, or removes now."""
_BROKEN, _UNAVAILABLE = 500, 503
"""What it answers from there on is its own failure, or that of what it stands on."""
_SHUTTING_DOWN = ("context canceled", "shutting down", "connection refused", "transport is closing")
"""What it says of itself, or of containerd, while it ends or begins."""


class Remedies(Protocol):
    """What a remedy needs that is not the worker's own. Thread-safe."""

    def make_image(self, module: str) -> None:
        """Makes the run's image again, with what brings `module`, unless that is empty.

        Raises:
            ImageError, EngineUnreachable, Stopped: there is none.
        """


@dataclass(frozen=True, slots=True)
class Means:
    """What a run is trained with.

    Attributes:
        make_trainer: makes the trainer of worker number i, from what the run's record says of
            image and limits by then.
        policy: decides about failed attempts.
        remedies: makes images anew.
    """

    make_trainer: Callable[[int], Trainer]
    policy: Policy
    remedies: Remedies


class Attempts:
    """A worker of a run. `stop` may be called from any thread, everything else from one.

    Args:
        live: the run.
        index: number of the worker.
        means: what it trains with.
        spec: the trial of an attempt that is in the journal.
        watcher: hears of it.
        on_data: told the fingerprints of the declared data directories at each start.
    """

    def __init__(
        self,
        live: LiveRun,
        index: int,
        means: Means,
        spec: Callable[[TrialStarted], TrialSpec],
        watcher: TrialWatcher,
        *,
        on_data: Callable[[Mapping[str, str]], None],
    ) -> None:
        self._live = live
        self._index = index
        self._means = means
        self._spec = spec
        self._watcher = watcher
        self._on_data = on_data
        self._lock = threading.Lock()
        self._trainer: Trainer | None = None
        self._stopping = threading.Event()
        self._keeps = False

    def warm_up(self) -> None:
        """Brings up the worker before there is a trial for it; what may pass is left for `train`.

        Raises:
            SandboxError, TrainingError: no worker can be brought up, now or later.
        """
        try:
            self._on_data(self._ready_trainer().start())
        except (EngineUnreachable, SandboxError) as error:
            if _cause(error) is None:
                raise
            self._drop()

    def train(self, started: TrialStarted) -> TrialResult:
        """Trains a trial whose attempt is in the journal, and goes on until it has its result.

        Raises:
            EngineUnreachable, SandboxError, TrainingError: no worker can be brought up.
            JournalError, KnobError: as for every step.
        """
        while True:
            error, result = self._attempt(started)
            failure = result.failure
            if failure is None or self._stopping.is_set():
                return self._summed(result, started)
            again = self._means.policy.after(self._live.record, started, failure)
            if again is None:
                if error is not None:
                    raise error
                return self._summed(result, started)
            self._note(started, result, failure, again)
            if self._stopping.wait(again.pause):
                return self._summed(_stopped(result), started)
            if again.needs_image and not self._has_image(again.module):
                return self._summed(result, started)
            if again.needs_image or again.memory or again.shm:
                self._drop()
            started = next_attempt(self._live.record, started)
            self._live.append(started)

    def stop(self, *, keep: bool) -> None:
        """Ends the attempt under way and refuses further ones; never raises.

        Args:
            keep: it gets time to save a checkpoint.
        """
        with self._lock:
            self._keeps = keep
            self._stopping.set()
            trainer = self._trainer
        if trainer is not None:
            trainer.stop(keep=keep)

    def close(self) -> None:
        """Removes the worker; idempotent."""
        self._drop()

    def _attempt(self, started: TrialStarted) -> tuple[PushtrainError | None, TrialResult]:
        """One attempt; an error that another one may cure is a result as well."""
        spec = self._spec(started)
        try:
            trainer = self._ready_trainer()
            self._on_data(trainer.start())
            return None, trainer.train(spec, self._watcher)
        except (EngineUnreachable, SandboxError) as error:
            cause = _cause(error)
            if cause is None:
                raise
            self._drop()
            return error, _failed(spec, Failure(cause, error.message, hint=error.hint))

    def _ready_trainer(self) -> Trainer:
        with self._lock:
            if self._trainer is None:
                self._trainer = self._means.make_trainer(self._index)
                if self._stopping.is_set():
                    self._trainer.stop(keep=self._keeps)
            return self._trainer

    def _has_image(self, module: str) -> bool:
        """Makes the image anew; what brings a missing module may not exist."""
        try:
            self._means.remedies.make_image(module)
        except ImageError as error:
            if not module:
                raise
            self._live.append(Warned(f"{module} cannot be added to the image: {error}"))
            return False
        return True

    def _drop(self) -> None:
        """Lets the worker go; the next attempt gets a new one."""
        with self._lock:
            trainer, self._trainer = self._trainer, None
        if trainer is not None:
            trainer.close()

    def _note(
        self, started: TrialStarted, result: TrialResult, failure: Failure, again: Relaunch
    ) -> None:
        _log.info("run %s: %s", self._live.id, failure.message)
        self._live.append(
            AttemptFailed(
                trial=started.trial,
                attempt=started.attempt,
                failure=failure,
                seconds=result.seconds,
                remedy=again.remedy,
                pause=again.pause,
                memory=again.memory,
                shm=again.shm,
                values=None if again.values is None else dict(again.values),
            )
        )

    def _summed(self, result: TrialResult, started: TrialStarted) -> TrialResult:
        """The result with what the attempts before it took and changed."""
        failed = self._live.record.failed_attempts.get(started.trial, ())
        notes = tuple(f"attempt {one.attempt}: {_told(one)}" for one in failed)
        return replace(
            result,
            attempts=started.attempt,
            seconds=result.seconds + sum(one.seconds for one in failed),
            notes=(*notes, *result.notes),
        )


def _told(attempt: AttemptFailed) -> str:
    remedy = f"; {attempt.remedy}" if attempt.remedy else ""
    return f"{attempt.failure.message}{remedy}"


def _cause(error: PushtrainError) -> Cause | None:
    """Why a worker could not be brought up, where another attempt may help."""
    if isinstance(error, EngineUnreachable):
        return Cause.ENGINE_GONE
    cause, status = error.facts.get("cause"), error.facts.get("status")
    if isinstance(cause, Cause):
        return cause
    if not isinstance(status, int):
        return None
    if status >= _BROKEN:
        return _broken(str(error.facts.get("reason", "")).lower(), status)
    return Cause.KILLED if status in _NO_LONGER else None


def _broken(reason: str, status: int) -> Cause:
    """Why an engine failed at what it was asked for, which it may do the next time."""
    if "no space left" in reason:
        return Cause.DISK_FULL
    if status == _UNAVAILABLE or any(sign in reason for sign in _SHUTTING_DOWN):
        return Cause.ENGINE_GONE
    return Cause.KILLED


def _failed(spec: TrialSpec, failure: Failure) -> TrialResult:
    return TrialResult(
        number=spec.number,
        state=TrialState.FAILED,
        values=spec.values,
        seed=spec.seed,
        measurement=None,
        measurements=(),
        epochs=(),
        failure=failure,
        seconds=0.0,
    )


def _stopped(result: TrialResult) -> TrialResult:
    return replace(result, state=TrialState.STOPPED, failure=None)
