"""What is to be trained, and how it is named in messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pushtrain.entities import Image, Objective, TrialSpec
from pushtrain.interfaces import Limits, Mount


@dataclass(frozen=True, slots=True)
class Job:
    """What all trials of a worker have in common.

    Attributes:
        run: the run's id.
        worker: number of the worker within the run.
        lease: token of the lease by which the run is driven.
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
    lease: int = 0


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial of a job."""

    job: Job
    spec: TrialSpec

    @property
    def image(self) -> str:
        """The image's tag."""
        return self.job.image.plan.tag

    @property
    def logs(self) -> str:
        """The command that shows what the trial printed."""
        return f"`pushtrain logs {self.job.run} {self.spec.number}`"

    def __str__(self) -> str:
        return f"trial {self.spec.number} of run {self.job.run}"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a worker is waited for, in seconds.

    Attributes:
        ready: for its imports (TensorFlow takes 8 to 25).
        grace: between SIGTERM and SIGKILL to a trial's processes: they may save a checkpoint.
        slack: beyond a trial's time limit and grace, before its container is removed.
        silence: without any word of a worker, which says every second that it is alive.
        stall: in which a script may do nothing at all: neither print, nor use a processor.
    """

    ready: float = 300
    grace: float = 10
    slack: float = 20
    silence: float = 60
    stall: float = 600


def clean(text: str) -> str:
    """One printable line of at most 500 characters: what a script wrote reaches terminals."""
    line = "".join(c if c.isprintable() else " " for c in text[:501])
    return line if len(line) <= 500 else line[:499] + "…"
