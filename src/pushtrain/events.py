"""What happens in a run, one record per arrival: the lines of its journal and of `run --json`.

Every event is written to the journal before anything acts on it. `EVENT` validates a line that
was read back; unknown fields are refused, so that a newer journal is noticed, not misread.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass

from pushtrain.entities import (
    Budget,
    Detection,
    Epoch,
    Failure,
    Image,
    ImagePlan,
    Knob,
    KnobValue,
    Objective,
    Push,
    RunState,
    TrialResult,
    Verdict,
    Wishes,
)
from pushtrain.processes import Process

_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True, config=_STRICT)
class RunStarted:
    """A run was created for a push; `reproduces` names the run that it trains again, if any."""

    push: Push
    data_fingerprint: str
    version: str
    """The version of pushtrain."""
    wishes: Wishes = Wishes()
    reproduces: str | None = None
    event: Literal["run_started"] = "run_started"


@dataclass(frozen=True, slots=True, config=_STRICT)
class Planned:
    """The code was read: what will be trained, towards what, and within which budget.

    In format 1 it stood for `KnobsFound`, too.
    """

    detection: Detection
    objective: Objective
    budget: Budget
    plan: ImagePlan
    knobs: tuple[Knob, ...] = ()
    event: Literal["planned"] = "planned"


@dataclass(frozen=True, slots=True, config=_STRICT)
class KnobsFound:
    """The code was read once more: what can be tuned in it."""

    knobs: tuple[Knob, ...]
    event: Literal["knobs_found"] = "knobs_found"


@dataclass(frozen=True, slots=True, config=_STRICT)
class ImageReady:
    """The image exists; `built` tells whether it had to be built."""

    image: Image
    built: bool
    seconds: float
    event: Literal["image_ready"] = "image_ready"


@dataclass(frozen=True, slots=True, config=_STRICT)
class DataRead:
    """A worker took the fingerprints of the declared data directories, by their mount points."""

    directories: dict[str, str]
    event: Literal["data_read"] = "data_read"


@dataclass(frozen=True, slots=True, config=_STRICT)
class TrialStarted:
    """A trial was handed to a worker; `origin` says where its values come from."""

    trial: int
    values: dict[str, KnobValue]
    seed: int
    origin: str
    attempt: int = 1
    worker: int = 0
    """Number of the worker: its volume holds the trial's checkpoints."""
    resumes: bool = False
    """Whether the attempt goes on from the checkpoints of the one before."""
    event: Literal["trial_started"] = "trial_started"


@dataclass(frozen=True, slots=True, config=_STRICT)
class AttemptFailed:
    """An attempt at a trial failed, and another one follows.

    Attributes:
        seconds: how long it took.
        remedy: what is changed for the next one, for people; empty where nothing is.
        pause: seconds until then.
        memory, shm: bytes that the run's containers get from now on.
        values: the trial's knob values from now on.
    """

    trial: int
    attempt: int
    failure: Failure
    seconds: float
    remedy: str = ""
    pause: float = 0.0
    memory: int | None = None
    shm: int | None = None
    values: dict[str, KnobValue] | None = None
    event: Literal["attempt_failed"] = "attempt_failed"


@dataclass(frozen=True, slots=True, config=_STRICT)
class TrialResumed:
    """An attempt goes on from a checkpoint, after so many epochs of the trial."""

    trial: int
    attempt: int
    epochs: int
    event: Literal["trial_resumed"] = "trial_resumed"


@dataclass(frozen=True, slots=True, config=_STRICT)
class Replanned:
    """Another image is needed than was planned."""

    plan: ImagePlan
    why: str
    event: Literal["replanned"] = "replanned"


@dataclass(frozen=True, slots=True, config=_STRICT)
class EpochEnded:
    """A trial finished an epoch; `epochs` is how many are planned, where known."""

    trial: int
    epoch: Epoch
    epochs: int | None = None
    event: Literal["epoch_ended"] = "epoch_ended"


@dataclass(frozen=True, slots=True, config=_STRICT)
class TrialEnded:
    """A trial has its result."""

    result: TrialResult
    event: Literal["trial_ended"] = "trial_ended"


@dataclass(frozen=True, slots=True, config=_STRICT)
class StopRequested:
    """Someone asked the run to stop: by hand, or a newer push.

    Attributes:
        reason: for people.
        superseded_by: the newer push's run, empty where that had not begun; None: by hand.
    """

    reason: str
    superseded_by: str | None = None
    event: Literal["stop_requested"] = "stop_requested"


@dataclass(frozen=True, slots=True, config=_STRICT)
class Warned:
    """Something people should know that does not end the run."""

    message: str
    event: Literal["warned"] = "warned"


@dataclass(frozen=True, slots=True, config=_STRICT)
class DriverLost:
    """The monitor found the run without a driver and starts a new one, for the `times`-th time.

    `driver` is the process that drove it before, where it did not end by itself.
    """

    times: int
    driver: Process | None = None
    event: Literal["driver_lost"] = "driver_lost"


@dataclass(frozen=True, slots=True, config=_STRICT)
class StateChanged:
    """The run moved to another state."""

    state: RunState
    event: Literal["state_changed"] = "state_changed"


@dataclass(frozen=True, slots=True, config=_STRICT)
class Judged:
    """The run has its verdict; `is_published` where it stands for `Published`, too (format 1)."""

    verdict: Verdict
    is_published: bool = False
    event: Literal["judged"] = "judged"


@dataclass(frozen=True, slots=True, config=_STRICT)
class Published:
    """All that a verdict leads to is done: files are written, and people's messages are queued."""

    event: Literal["published"] = "published"


@dataclass(frozen=True, slots=True, config=_STRICT)
class Reopened:
    """Someone goes on with a run that had its verdict: it has none any more, nor a stop request."""

    event: Literal["reopened"] = "reopened"


@dataclass(frozen=True, slots=True, config=_STRICT)
class PatchCommitted:
    """The winning patch was committed to a branch of the repository, as the caller wished."""

    branch: str
    event: Literal["patch_committed"] = "patch_committed"


@dataclass(frozen=True, slots=True, config=_STRICT)
class MessageQueued:
    """A message waits in the outbox: `key` once per event and channel."""

    key: str
    channel: str
    event: Literal["message_queued"] = "message_queued"


@dataclass(frozen=True, slots=True, config=_STRICT)
class MessageSent:
    """The channel accepted the message."""

    key: str
    channel: str
    event: Literal["message_sent"] = "message_sent"


@dataclass(frozen=True, slots=True, config=_STRICT)
class MessageFailed:
    """A delivery failed; `permanent` means that no retry will follow."""

    key: str
    channel: str
    error: str
    permanent: bool
    event: Literal["message_failed"] = "message_failed"


Event: TypeAlias = (
    RunStarted
    | Planned
    | KnobsFound
    | ImageReady
    | DataRead
    | TrialStarted
    | AttemptFailed
    | TrialResumed
    | Replanned
    | EpochEnded
    | TrialEnded
    | StopRequested
    | Warned
    | DriverLost
    | StateChanged
    | Judged
    | Published
    | Reopened
    | PatchCommitted
    | MessageQueued
    | MessageSent
    | MessageFailed
)

EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="event")])
"""Validates and serialises one event."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a journal: its number from 1, Unix time, and the event."""

    seq: int
    time: float
    event: Event
