"""What driver and worker say to one another (worker/PROTOCOL.md), as validated records.

What comes out of a container is hostile input. The rule: a field that is missing or has the wrong
type is refused, an unknown field is ignored (a newer worker may say more), another version is
refused, and every list and text has a limit. `parse_event` and `parse_result` raise BadOutput and
nothing else.
"""

from __future__ import annotations

import json
import math
from itertools import pairwise
from typing import Annotated, Literal, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from pushtrain.entities import Role
from pushtrain.trial.job import clean

VERSION = 1

MAX_LINE = 256 * 1024
"""Bytes of one event."""
MAX_RESULT = 4 * 1024 * 1024
"""Bytes of result.json."""
MAX_EPOCHS = 100_000
"""Epochs of one trial."""

_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class BadOutput(Exception):
    """What came out of the container breaks the protocol; the message says how."""


# --- what goes in ------------------------------------------------------------------------------


class _Outgoing(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    def encode(self) -> bytes:
        """The record as UTF-8 JSON with sorted keys: the same record gives the same bytes."""
        return json.dumps(self.model_dump(), sort_keys=True, ensure_ascii=False).encode() + b"\n"


class WorkerOrder(_Outgoing):
    """worker.json: what a worker is for; see PROTOCOL.md."""

    protocol: Literal[1] = 1
    preload: tuple[str, ...]
    adapters: tuple[str, ...]
    disk: int
    log: int
    grace: float
    stall: float
    data: tuple[str, ...] = ()
    environment: dict[str, str] = {}


class TrialOrder(_Outgoing):
    """order.json: one trial to train; see PROTOCOL.md."""

    protocol: Literal[1] = 1
    trial: int
    attempt: int
    entry: str
    args: tuple[str, ...] = ()
    workdir: str = "."
    seed: int
    time_limit: float
    environment: dict[str, str] = {}
    resume: bool = False


# --- what comes out ----------------------------------------------------------------------------


def _number(value: object) -> object:
    return _NOT_FINITE.get(value, value) if isinstance(value, str) else value


class _Incoming(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


Name = Annotated[str, Field(min_length=1, max_length=200)]
Line = Annotated[str, Field(max_length=2_000)]
Text = Annotated[str, Field(max_length=64 * 1024)]
Number = Annotated[float, BeforeValidator(_number)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, lt=2**63)]
Ordinal = Annotated[int, Field(ge=1, lt=2**31)]
Metrics = Annotated[dict[Name, Number], Field(max_length=1_000)]
Versions = Annotated[dict[Name, Name], Field(max_length=1_000)]


class ExitFacts(_Incoming):
    """How the trial's process ended, as the worker saw it."""

    code: Annotated[int, Field(ge=0, le=255)] | None = None
    signal: Annotated[int, Field(ge=1, le=128)] | None = None
    stopped: bool = False
    timed_out: bool = False
    stalled: bool = False
    disk_exceeded: bool = False
    oom_killed: bool = False
    pids_exceeded: bool = False
    shm_full: bool = False


class ScriptError(_Incoming):
    """The exception that ended the script; file and line of the user's innermost frame."""

    type: Name
    message: Text
    file: Line | None = None
    line: Ordinal | None = None
    traceback: Text = ""


class Connection(_Incoming):
    """A connection or a name that the script tried to reach."""

    host: Line
    port: Annotated[int, Field(ge=0, le=65535)] | None = None
    file: Line | None = None
    line: Ordinal | None = None


class MeasuredValue(_Incoming):
    """One value of one metric."""

    metric: Name
    value: Number
    role: Annotated[Role, Field(strict=False)]
    source: Line


class EpochFacts(_Incoming):
    """One finished epoch."""

    number: Ordinal
    metrics: Metrics
    seconds: Seconds


class ConfusionCounts(_Incoming):
    """A square matrix of counts."""

    labels: Annotated[list[Name], Field(min_length=1, max_length=1_000)]
    matrix: list[list[Count]]

    @model_validator(mode="after")
    def _is_square(self) -> ConfusionCounts:
        if {len(self.labels)} != {len(self.matrix), *map(len, self.matrix)}:
            raise ValueError("the matrix must have one row and one column for each label")
        return self


class ModelFile(_Incoming):
    """Where the trained model lies below out/, and in which format."""

    path: Line
    format: Name


class LogFacts(_Incoming):
    """Bytes of text that were passed on, and that were dropped beyond the limit."""

    bytes: Count
    dropped: Count


class TrialOutcome(_Incoming):
    """result.json: all that a trial says of itself."""

    protocol: Literal[1]
    trial: Count
    attempt: Ordinal
    exit: ExitFacts
    error: ScriptError | None = None
    network: Annotated[list[Connection], Field(max_length=1_000)] = []
    measurements: Annotated[list[MeasuredValue], Field(max_length=20_000)] = []
    epochs: Annotated[list[EpochFacts], Field(max_length=MAX_EPOCHS)] = []
    resumed: Count | None = None
    confusion: ConfusionCounts | None = None
    parameters: dict[str, JsonValue] = {}
    versions: Versions = {}
    model: ModelFile | None = None
    seconds: Annotated[dict[Name, Seconds], Field(max_length=100)] = {}
    log: LogFacts | None = None
    files: Count | None = None
    refused: Annotated[list[Line], Field(max_length=1_000)] = []
    notes: Annotated[list[Line], Field(max_length=1_000)] = []

    @model_validator(mode="after")
    def _counts_its_epochs(self) -> TrialOutcome:
        numbers = [epoch.number for epoch in self.epochs]
        if any(later <= earlier for earlier, later in pairwise(numbers)):
            raise ValueError("epochs must be in their order")
        return self


class _Event(_Incoming):
    v: Literal[1]
    seq: Ordinal
    time: Seconds


class Ready(_Event):
    """The worker has imported its frameworks and waits for orders."""

    event: Literal["ready"]
    seconds: Seconds
    python: Line
    versions: Versions
    data: Annotated[dict[Line, Name], Field(max_length=1_000)] = {}


class ImportFailed(_Event):
    """A framework could not be imported; the worker ends."""

    event: Literal["import_failed"]
    module: Name
    type: Name
    message: Text
    traceback: Text = ""


class TrialBegan(_Event):
    """The trial's process runs."""

    event: Literal["trial_started"]
    trial: Count
    attempt: Ordinal


class Logged(_Event):
    """The script printed something."""

    event: Literal["log"]
    trial: Count
    text: Annotated[str, Field(max_length=MAX_LINE)]


class EpochPassed(_Event):
    """An epoch has ended, of `epochs` where that is known."""

    event: Literal["epoch"]
    trial: Count
    epoch: Ordinal
    epochs: Ordinal | None = None
    metrics: Metrics
    seconds: Seconds


class Resumed(_Event):
    """The trial continues after so many epochs, which were said again before; see PROTOCOL.md."""

    event: Literal["resumed"]
    trial: Count
    epochs: Count


class Alive(_Event):
    """The trial runs, and uses so many bytes of memory and disk."""

    event: Literal["alive"]
    trial: Count
    memory: Count
    disk: Count


class TrialOver(_Event):
    """The trial has ended; `result` is null where it is too long for a line."""

    event: Literal["trial_ended"]
    trial: Count
    result: TrialOutcome | None = None


TrialEvent: TypeAlias = TrialBegan | Logged | EpochPassed | Resumed | Alive | TrialOver
"""What a worker says while a trial is under way."""

WorkerEvent: TypeAlias = Ready | ImportFailed | TrialEvent

_EVENT: TypeAdapter[WorkerEvent] = TypeAdapter(Annotated[WorkerEvent, Field(discriminator="event")])


def parse_event(line: bytes) -> WorkerEvent:
    """One line of the worker's output; raises BadOutput."""
    if len(line) > MAX_LINE:
        raise BadOutput(f"a line of {len(line)} bytes, where {MAX_LINE} are allowed")
    try:
        return _EVENT.validate_json(line)
    except ValidationError as error:
        raise BadOutput(f"{_problem(error)} in {_excerpt(line)}") from None


def parse_result(content: bytes) -> TrialOutcome:
    """The content of a result.json; raises BadOutput."""
    if len(content) > MAX_RESULT:
        raise BadOutput(f"a result.json of more than {MAX_RESULT} bytes")
    try:
        return TrialOutcome.model_validate_json(content)
    except ValidationError as error:
        raise BadOutput(f"{_problem(error)} in result.json") from None


def _problem(error: ValidationError) -> str:
    """The first thing that is wrong, without the value (which may be huge); names are hostile."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(str(part)[:50] for part in first["loc"][:6])
    message = first["msg"][:200]
    return clean(f"{where}: {message}" if where else message)


def _excerpt(line: bytes) -> str:
    return repr(line if len(line) <= 80 else line[:77] + b"...")
