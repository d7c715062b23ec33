"""Bringing up a worker: its container launched, fed with the source, and waited for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from pushtrain.entities import Cause
from pushtrain.errors import SandboxError, TrainingError
from pushtrain.interfaces import (
    LABEL_ATTEMPT,
    LABEL_LEASE,
    LABEL_RUN,
    LABEL_TRIAL,
    Engine,
    OutgoingFile,
    SandboxSpec,
)
from pushtrain.trial.bundle import adapters, source_files, worker_files
from pushtrain.trial.job import Job, Patience, clean
from pushtrain.trial.protocol import BadOutput, ImportFailed, Ready, WorkerEvent, WorkerOrder
from pushtrain.trial.warm_worker import ROOT, WarmWorker, WorkerEnded


def remove_leftovers(engine: Engine, run: str, lease: int, *, checkpoints: bool = False) -> int:
    """Removes the containers of a run whose driver died; gives how many.

    For whoever drives the run next, before it starts any worker: it may start fewer of them.
    A driver that was paused and does not know yet that another one has taken over finds nothing
    of that one's.

    Args:
        engine: where they are.
        run: the run's id.
        lease: token of the caller's lease.
        checkpoints: its checkpoints go as well, since the run has ended.
    """
    found = engine.find({LABEL_RUN: run})
    left = [state for state in found if int(state.labels.get(LABEL_LEASE, 0)) <= lease]
    for state in left:
        engine.remove(state.id)
    for volume in engine.volumes({LABEL_RUN: run}) if checkpoints else ():
        engine.remove_volume(volume.name)
    return len(left)


def launch(
    engine: Engine,
    job: Job,
    attempt: int,
    patience: Patience,
    on_left_out: Callable[[str], None],
) -> WarmWorker:
    """A worker's container with what it needs before its start; errors as `Engine.launch`.

    One of the same name is this driver's own, which it could not remove; it goes.
    """
    slot = f"pushtrain-{job.run}-{job.worker}"
    name = f"{slot}-{job.lease}"
    engine.remove(name)
    spec = SandboxSpec(
        name=name,
        image=job.image.id,
        command=(job.image.plan.python, "-s", "-B", "-u", f"{ROOT}/lib"),
        labels={
            LABEL_RUN: job.run,
            LABEL_TRIAL: f"worker-{job.worker}",
            LABEL_ATTEMPT: str(attempt),
            LABEL_LEASE: str(job.lease),
        },
        limits=job.limits,
        mounts=job.mounts,
        checkpoints=slot,
        # The order of a set of strings depends on it, and is to be the same in every container.
        environment={"PYTHONHASHSEED": "0"},
    )
    return WarmWorker(engine, spec, _files(job, patience, on_left_out))


def _files(
    job: Job, patience: Patience, on_left_out: Callable[[str], None]
) -> Iterator[OutgoingFile]:
    """The worker itself, its configuration, and the source; raises SourceError."""
    order = WorkerOrder(
        preload=job.image.plan.preload,
        adapters=adapters(),
        disk=job.limits.disk,
        log=job.limits.log,
        grace=patience.grace,
        stall=patience.stall,
        data=tuple(mount.target for mount in job.mounts),
    )
    yield OutgoingFile("worker.json", order.encode())
    yield from _below("lib", worker_files())
    yield from _below("source", source_files(job.source, on_left_out))


def _below(directory: str, files: Iterator[OutgoingFile]) -> Iterator[OutgoingFile]:
    return (replace(file, path=f"{directory}/{file.path}") for file in files)


def await_ready(
    worker: WarmWorker, job: Job, patience: Patience, stopping: threading.Event
) -> Ready | None:
    """Waits until a started worker takes orders; None when stopped meanwhile.

    Raises:
        TrainingError: a framework cannot be imported.
        SandboxError: it ended, broke the protocol, or took too long.
        EngineUnreachable: the engine does not answer.
    """
    deadline = time.monotonic() + patience.ready
    event: WorkerEvent | None = None
    try:
        while event is None and not stopping.is_set() and time.monotonic() < deadline:
            event = worker.next(deadline - time.monotonic())
    except WorkerEnded as ended:
        raise _ended(job, ended) from None
    except BadOutput as problem:
        raise _unusable(job, f"breaks the protocol: {problem}") from None
    if isinstance(event, Ready):
        return event
    if isinstance(event, ImportFailed):
        raise _not_importable(job, event)
    if stopping.is_set():
        return None
    if event is not None:
        raise _unusable(job, f"began with {event.event!r}")
    raise SandboxError(
        f"run {job.run}: the worker in image {job.image.plan.tag} was not ready within "
        f"{patience.ready:g} s",
        hint="see whether the engine's host is overloaded",
        cause=Cause.STALLED,
        run=job.run,
        image=job.image.plan.tag,
    )


def _not_importable(job: Job, event: ImportFailed) -> TrainingError:
    return TrainingError(
        f"run {job.run}: {clean(event.module)} cannot be imported in image {job.image.plan.tag}: "
        f"{clean(event.type)}: {clean(event.message)}",
        hint="name what it needs in requirements.txt or under [image] packages in pushtrain.toml",
        run=job.run,
        image=job.image.plan.tag,
        module=event.module,
        traceback=event.traceback,
    )


def _unusable(job: Job, how: str) -> SandboxError:
    return SandboxError(
        f"run {job.run}: the worker in image {job.image.plan.tag} {how}",
        hint="rebuild the image with `pushtrain image --build`",
        run=job.run,
        image=job.image.plan.tag,
    )


def _ended(job: Job, ended: WorkerEnded) -> SandboxError:
    state = ended.state
    how, hint, told = "removed from outside", "see who removed it, and start the run again", ""
    if state is not None:
        killed = ", OOMKilled" if state.oom_killed else ""
        how = f"exit {state.exit_code}{killed}"
        hint = "raise limits.memory in pushtrain.toml" if killed else "see the engine's own log"
        told = f": {clean(state.error)}" if state.error else ""
    return SandboxError(
        f"run {job.run}: container ended before its worker was ready ({how}) in image "
        f"{job.image.plan.tag}{told}",
        hint=hint,
        run=job.run,
        image=job.image.plan.tag,
        exit_code=state.exit_code if state else None,
        cause=Cause.OUT_OF_MEMORY if state and state.oom_killed else Cause.KILLED,
    )
