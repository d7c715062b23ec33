"""Trains trials in containers, one warm worker at a time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import replace

from pushtrain.entities import TrialResult, TrialSpec
from pushtrain.errors import PushtrainError
from pushtrain.interfaces import Engine, TrialWatcher
from pushtrain.trial import startup
from pushtrain.trial.folder import TrialFolder
from pushtrain.trial.job import Job, Patience, Trial
from pushtrain.trial.outcome import TrialEnd, judge
from pushtrain.trial.protocol import Ready, TrialOrder
from pushtrain.trial.session import Session
from pushtrain.trial.warm_worker import WarmWorker

_log = logging.getLogger(__name__)

_LEAVING = 2.0
"""Seconds that a worker may take beyond its trial's grace to leave by itself."""
_RENEW_AFTER = 128 * 1024**2
"""Bytes that one worker may say: engines keep what a container prints until it is removed."""


class ContainerTrainer:
    """One warm worker in a hardened container; see `interfaces.Trainer`.

    A worker that dies, or that says what the protocol does not allow, is replaced before the
    next attempt. What it keeps of checkpoints lies on a volume that outlives it; removing that is
    for whoever ends the run.

    Args:
        engine: where the container runs.
        job: what is trained.
        patience: how long to wait for a worker.
    """

    def __init__(self, engine: Engine, job: Job, patience: Patience | None = None) -> None:
        self._engine = engine
        self._job = job
        self._patience = patience or Patience()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._worker: WarmWorker | None = None
        self._ready: Ready | None = None
        self._launched = 0
        self._left_out: list[str] = []

    def start(self) -> Mapping[str, str]:
        """Brings up the worker and waits until it has imported its frameworks.

        Returns:
            Each mounted data directory's fingerprint, as the worker took it.

        Raises:
            TrainingError: a framework cannot be imported.
            SandboxError: the container cannot be launched or fed, or dies at once.
            SourceError: the pushed tree cannot be read.
            EngineUnreachable: the engine does not answer.
        """
        if self._worker is None and not self._stopping.is_set():
            self._bring_up()
        return self._ready.data if self._ready else {}

    def train(self, spec: TrialSpec, watcher: TrialWatcher) -> TrialResult:
        """One attempt at a trial, to its end; one that fails is a result.

        Raises:
            JournalError: the trial's folder cannot be written.
            Also whatever `start` raises, where a new worker is needed.
        """
        trial = Trial(self._job, spec)
        worker = self._worker_for_order()
        if worker is None:
            return judge(trial, TrialEnd(None, (), 0.0), stopped=True)
        log_limit = self._job.limits.log + 1024  # the worker says where it left something out
        with TrialFolder(self._job.trials / str(spec.number), log_limit, spec.attempt) as folder:
            session = Session(trial, worker, folder, watcher, self._patience)
            try:
                return self._completed(session.train(self._order(spec), self._stopping))
            except PushtrainError:
                if not self._stopping.is_set():
                    raise
                return judge(trial, TrialEnd(None, (), 0.0), stopped=True)
            finally:
                self._settle(session.is_orderly)

    def stop(self, *, keep: bool = False) -> None:
        """Ends the trial under way and refuses further ones; never raises."""
        self._stopping.set()
        try:
            self._discard(keep=keep)
        except PushtrainError as error:
            _log.warning("run %s: worker not removed: %s", self._job.run, error)

    def close(self) -> None:
        """Removes the container and its volume; idempotent, never raises."""
        self.stop()

    # --- the trial -----------------------------------------------------------------------------

    def _order(self, spec: TrialSpec) -> TrialOrder:
        job = self._job
        return TrialOrder(
            trial=spec.number,
            attempt=spec.attempt,
            resume=spec.resumes,
            entry=job.entry,
            args=job.args,
            workdir=job.workdir,
            seed=spec.seed,
            time_limit=job.trial_seconds,
            environment=dict(job.environment),
        )

    def _completed(self, result: TrialResult) -> TrialResult:
        """The result with what only the worker's start told: versions, and what was left out."""
        versions = dict(result.versions)
        if self._ready is not None:
            versions = {"python": self._ready.python, **self._ready.versions, **versions}
        left_out = tuple(f"source left out: {what}" for what in self._left_out)
        return replace(result, versions=versions, notes=(*left_out, *result.notes))

    def _settle(self, is_orderly: bool) -> None:
        """After a trial: a worker that broke off is not trusted with another one."""
        if is_orderly:
            return
        try:
            self._discard()
        except PushtrainError as error:
            _log.warning("run %s: worker not removed: %s", self._job.run, error)

    # --- the worker ----------------------------------------------------------------------------

    def _worker_for_order(self) -> WarmWorker | None:
        """A worker that can take an order, new if need be; None when stopped."""
        worker = self._worker
        if worker is not None and (worker.heard > _RENEW_AFTER or not worker.is_quiet()):
            self._discard()
        if self._worker is None and not self._stopping.is_set():
            self._bring_up()
        return None if self._stopping.is_set() else self._worker

    def _bring_up(self) -> None:
        self._launched += 1
        self._left_out = []
        job = self._job
        try:
            worker = self._worker = startup.launch(
                self._engine, job, self._launched, self._patience, self._left_out.append
            )
            worker.start()
            self._ready = startup.await_ready(worker, job, self._patience, self._stopping)
        except BaseException as error:
            self._discard()
            if isinstance(error, PushtrainError) and self._stopping.is_set():
                return
            raise
        if self._stopping.is_set():
            self._discard()

    def _discard(self, *, keep: bool = False) -> None:
        with self._lock:
            worker, self._worker = self._worker, None
        if worker is not None:
            worker.remove(grace=self._patience.grace + _LEAVING if keep else 0)
