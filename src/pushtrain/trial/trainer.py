"""Trains trials in containers, one warm worker at a time."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pushtrain.entities import Image, Objective, TrialResult, TrialSpec
from pushtrain.errors import PushtrainError, SandboxError, TrainingError
from pushtrain.interfaces import (
    LABEL_ATTEMPT,
    LABEL_RUN,
    LABEL_TRIAL,
    Engine,
    Limits,
    Mount,
    OutgoingFile,
    SandboxSpec,
    SandboxState,
    TrialWatcher,
)
from pushtrain.trial.bundle import adapters, source_files, worker_files
from pushtrain.trial.folder import TrialFolder
from pushtrain.trial.outcome import TrialContext, TrialEnd, clean, judge
from pushtrain.trial.protocol import BadOutput, ImportFailed, Ready, TrialOrder, WorkerOrder
from pushtrain.trial.session import Patience, Session
from pushtrain.trial.warm_worker import ROOT, WarmWorker, WorkerEnded

_log = logging.getLogger(__name__)

_MOST_DEATHS = 5
"""Workers in a row that may die before training is given up."""
_RENEW_AFTER = 128 * 1024**2
"""Bytes that one worker may say: engines keep what a container prints until it is removed."""


@dataclass(frozen=True, slots=True)
class Job:
    """What all trials of a worker have in common.

    Attributes:
        run: the run's id.
        worker: number of the worker within the run.
        image: what it runs in.
        source: root of the pushed tree.
        entry: the script, as a POSIX path relative to `source`.
        trials: where the trials' folders go.
        limits: what its container may use.
        objective: what is measured.
        trial_seconds: a trial's time limit.
        mounts: declared data directories.
        args: the script's arguments.
        workdir: the script's directory, relative to `source`.
        environment: the script's further environment variables.
    """

    run: str
    worker: int
    image: Image
    source: Path
    entry: str
    trials: Path
    limits: Limits
    objective: Objective
    trial_seconds: float
    mounts: tuple[Mount, ...] = ()
    args: tuple[str, ...] = ()
    workdir: str = "."
    environment: Mapping[str, str] = field(default_factory=dict)


class ContainerTrainer:
    """One warm worker in a hardened container; see `interfaces.Trainer`.

    A worker that dies, or that says what the protocol does not allow, is replaced before the
    next trial.

    Args:
        engine: where the container runs.
        job: what is trained.
        patience: how long to wait for a worker.
    """

    def __init__(self, engine: Engine, job: Job, patience: Patience = Patience()) -> None:
        self._engine = engine
        self._job = job
        self._patience = patience
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._worker: WarmWorker | None = None
        self._launched = 0
        self._deaths = 0
        self._attempts: dict[int, int] = {}
        self._ready: Ready | None = None
        self._taken: set[int] = set()
        self._left_out: list[str] = []

    @property
    def data_fingerprints(self) -> Mapping[str, str]:
        """Each mounted data directory's fingerprint, as its worker took it; empty before start."""
        return self._ready.data if self._ready else {}

    def start(self) -> None:
        """Brings up the worker and waits until it has imported its frameworks.

        Raises:
            TrainingError: a framework cannot be imported.
            SandboxError: the container cannot be launched or fed, or dies at once.
            EngineUnreachable: the engine does not answer.
        """
        if self._worker is None and not self._stopping.is_set():
            self._bring_up()

    def train(self, spec: TrialSpec, watcher: TrialWatcher) -> TrialResult:
        """Trains one trial to its end; a trial that fails is a result.

        Raises:
            SandboxError: no worker can be brought up any more; also what `start` raises.
        """
        context = TrialContext(
            self._job.run,
            spec,
            self._job.image.plan.tag,
            self._job.limits,
            self._job.trial_seconds,
            self._job.objective,
        )
        worker = self._worker_for(spec.number)
        if worker is None:
            return judge(context, TrialEnd(None, (), 0.0), stopped=True)
        log_limit = self._job.limits.log + 1024  # the worker says where it left something out
        with TrialFolder(self._job.trials / str(spec.number), log_limit) as folder:
            session = Session(context, worker, folder, watcher, self._patience, self._stopping)
            try:
                return self._completed(session.train(self._order(spec)))
            except PushtrainError:
                if not self._stopping.is_set():
                    raise
                return judge(context, TrialEnd(None, (), 0.0), stopped=True)
            finally:
                self._settle(session.is_orderly)

    def stop(self) -> None:
        """Ends the trial under way and refuses further ones."""
        self._stopping.set()
        try:
            self._discard()
        except PushtrainError as error:
            _log.warning("run %s: worker not removed while stopping: %s", self._job.run, error)

    def close(self) -> None:
        """Removes the container and its volume; idempotent, never raises."""
        self.stop()

    # --- the trial -----------------------------------------------------------------------------

    def _order(self, spec: TrialSpec) -> TrialOrder:
        job = self._job
        attempt = self._attempts[spec.number] = self._attempts.get(spec.number, 0) + 1
        self._taken.add(spec.number)
        return TrialOrder(
            trial=spec.number,
            attempt=attempt,
            entry=job.entry,
            args=job.args,
            workdir=job.workdir,
            seed=spec.seed,
            time_limit=job.trial_seconds,
            environment=dict(job.environment),
        )

    def _completed(self, result: TrialResult) -> TrialResult:
        """The result with what the worker knows: versions, and what it was not given."""
        versions = dict(result.versions)
        if self._ready is not None:
            versions = {"python": self._ready.python, **self._ready.versions, **versions}
        left_out = tuple(f"source left out: {what}" for what in self._left_out)
        return replace(result, versions=versions, notes=(*left_out, *result.notes))

    def _settle(self, is_orderly: bool) -> None:
        """After a trial: a worker that broke off is not trusted with another one."""
        if is_orderly:
            self._deaths = 0
            return
        self._deaths += 1
        try:
            self._discard()
        except PushtrainError as error:
            _log.warning("run %s: worker not removed: %s", self._job.run, error)

    # --- the worker ----------------------------------------------------------------------------

    def _worker_for(self, trial: int) -> WarmWorker | None:
        """A worker that can take this trial's order, new if need be; None when stopped."""
        worker = self._worker
        if worker is not None and (
            trial in self._taken or worker.heard > _RENEW_AFTER or not worker.is_quiet()
        ):
            self._discard()
        if self._worker is None and not self._stopping.is_set():
            self._bring_up()
        return None if self._stopping.is_set() else self._worker

    def _bring_up(self) -> None:
        if self._deaths >= _MOST_DEATHS:
            raise SandboxError(
                f"run {self._job.run}: {self._deaths} containers in a row did not outlast their "
                f"trial in image {self._job.image.plan.tag}",
                hint=f"`pushtrain show {self._job.run}` gives each one's reason",
                run=self._job.run,
                deaths=self._deaths,
            )
        try:
            worker = self._launch()
            self._feed(worker)
            worker.start()
            self._ready = self._await_ready(worker)
        except BaseException as error:
            self._discard()
            if isinstance(error, PushtrainError) and self._stopping.is_set():
                return
            raise

    def _launch(self) -> WarmWorker:
        job = self._job
        self._launched += 1
        name = f"pushtrain-{job.run}-{job.worker}"
        self._engine.remove(name)  # left by a driver that died: a run has one driver at a time
        spec = SandboxSpec(
            name=name,
            image=job.image.id,
            command=(job.image.plan.python, "-I", "-B", "-u", f"{ROOT}/lib"),
            labels={
                LABEL_RUN: job.run,
                LABEL_TRIAL: f"worker-{job.worker}",
                LABEL_ATTEMPT: str(self._launched),
            },
            limits=job.limits,
            mounts=job.mounts,
        )
        worker = WarmWorker(self._engine, spec)
        with self._lock:
            self._worker = worker
        self._taken.clear()
        if self._stopping.is_set():
            raise SandboxError(f"run {job.run}: stopped", hint="start another run")
        return worker

    def _feed(self, worker: WarmWorker) -> None:
        job = self._job
        self._left_out = []
        order = WorkerOrder(
            preload=job.image.plan.preload,
            adapters=adapters(),
            disk=job.limits.disk,
            log=job.limits.log,
            grace=self._patience.grace,
            data=tuple(mount.target for mount in job.mounts),
        )
        worker.put("", iter([OutgoingFile("worker.json", order.encode())]))
        worker.put("lib", worker_files())
        worker.put("source", source_files(job.source, self._left_out.append))

    def _await_ready(self, worker: WarmWorker) -> Ready | None:
        """Waits for the first event; None when stopped meanwhile."""
        job, tag = self._job, self._job.image.plan.tag
        deadline = time.monotonic() + self._patience.ready
        try:
            event = None
            while event is None and not self._stopping.is_set() and time.monotonic() < deadline:
                event = worker.next(deadline - time.monotonic())
        except WorkerEnded as ended:
            raise self._died_early(ended) from None
        except BadOutput as problem:
            raise SandboxError(
                f"run {job.run}: the worker in image {tag} breaks the protocol: {problem}",
                hint="rebuild the image with `pushtrain image --build`",
                run=job.run,
            ) from None
        if isinstance(event, ImportFailed):
            raise TrainingError(
                f"run {job.run}: {event.module} cannot be imported in image {tag}: "
                f"{event.type}: {clean(event.message)}",
                hint="name what it needs in requirements.txt or under [image] packages",
                run=job.run,
                module=event.module,
                image=tag,
                traceback=event.traceback,
            )
        if self._stopping.is_set():
            return None
        if not isinstance(event, Ready):
            raise SandboxError(
                f"run {job.run}: the worker in image {tag} was not ready within "
                f"{self._patience.ready:g} s",
                hint="see whether the engine's host is overloaded",
                run=job.run,
                image=tag,
            )
        return event

    def _died_early(self, ended: WorkerEnded) -> SandboxError:
        job, state = self._job, ended.state
        how, hint = "removed from outside", "see who removed it, and start the run again"
        if state is not None:
            killed = ", OOMKilled" if state.oom_killed else ""
            how = f"exit {state.exit_code}{killed}"
            hint = "raise limits.memory" if killed else "see what the engine's log says of it"
        return SandboxError(
            f"run {job.run}: container ended before its worker was ready ({how}) in image "
            f"{job.image.plan.tag}{_told(state)}",
            hint=hint,
            run=job.run,
            image=job.image.plan.tag,
            exit_code=state.exit_code if state else None,
            oom_killed=bool(state and state.oom_killed),
        )

    def _discard(self) -> None:
        with self._lock:
            worker, self._worker = self._worker, None
        if worker is not None:
            worker.remove()


def _told(state: SandboxState | None) -> str:
    return f": {clean(state.error)}" if state is not None and state.error else ""
