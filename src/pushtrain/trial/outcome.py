"""What came of a trial: from the facts of its end to a result, and for a failure its cause."""

from __future__ import annotations

import json
import math
import signal
from collections.abc import Sequence
from dataclasses import dataclass

from pushtrain.entities import (
    Artifact,
    Cause,
    Confusion,
    Epoch,
    Failure,
    Measurement,
    Objective,
    TrialResult,
    TrialSpec,
    TrialState,
)
from pushtrain.interfaces import Limits
from pushtrain.objective import choose
from pushtrain.trial.protocol import Connection, EpochFacts, ScriptError, TrialOutcome

_DISK_ERRORS = ("[Errno 27]", "[Errno 28]", "[Errno 122]")
"""How Python begins the message of EFBIG, ENOSPC and EDQUOT."""
_MEMORY_ERRORS = ("MemoryError", "ResourceExhaustedError")
"""Of Python and NumPy; of TensorFlow."""
_NO_PROCESS = "[Errno 11]"
_MOST_PARAMETERS = 256 * 1024

_DOWNLOAD_HINT = (
    "put the data into a directory of the engine's host and declare it under [data] in "
    "pushtrain.toml, or ask for the network by limits.network = true there, which the operator "
    "allows for this repository under [allow] network in config.toml"
)


@dataclass(frozen=True, slots=True)
class TrialContext:
    """What messages and results say of a trial besides its own facts."""

    run: str
    spec: TrialSpec
    image: str
    limits: Limits
    seconds: float
    """The trial's time limit."""
    objective: Objective

    def __str__(self) -> str:
        return f"trial {self.spec.number} of run {self.run}"


@dataclass(frozen=True, slots=True)
class TrialEnd:
    """How a trial ended, as the driver saw it.

    Attributes:
        outcome: what the worker said of it, where it still could.
        epochs: the epochs that were heard of while it ran.
        seconds: how long it took.
        artifacts: the files that were brought out.
        failure: what the driver itself found wrong; it weighs more than the outcome.
        notes: what people should know besides.
    """

    outcome: TrialOutcome | None
    epochs: tuple[Epoch, ...]
    seconds: float
    artifacts: tuple[Artifact, ...] = ()
    failure: Failure | None = None
    notes: tuple[str, ...] = ()


def judge(
    context: TrialContext, end: TrialEnd, *, pruned: bool = False, stopped: bool = False
) -> TrialResult:
    """The result of a trial; `pruned` and `stopped` say that the driver asked for its end."""
    outcome, spec = end.outcome, context.spec
    measurements = _measurements(outcome)
    epochs = _epochs(outcome.epochs) if outcome and outcome.epochs else end.epochs
    measurement = choose(measurements, epochs, context.objective)
    failure = end.failure
    if not (stopped or pruned) and failure is None:
        failure = _failure(context, outcome, measurement)
    state = TrialState.COMPLETE
    if stopped:
        state, failure = TrialState.STOPPED, None
    elif failure is not None:
        state = TrialState.FAILED
    elif pruned:
        state = TrialState.PRUNED
    return TrialResult(
        number=spec.number,
        state=state,
        values=spec.values,
        seed=spec.seed,
        measurement=measurement,
        measurements=measurements,
        epochs=epochs,
        failure=failure,
        seconds=end.seconds,
        confusion=_confusion(outcome),
        artifacts=end.artifacts,
        parameters=_parameters(outcome),
        versions=outcome.versions if outcome else {},
        notes=_notes(outcome, end.notes),
    )


# --- why a trial gave no value -----------------------------------------------------------------


def _failure(
    context: TrialContext, outcome: TrialOutcome | None, measurement: Measurement | None
) -> Failure | None:
    if outcome is None:
        return Failure(Cause.BAD_OUTPUT, f"{context}: its worker gave no result")
    failure = _limit(context, outcome) or _refused_download(context, outcome, measurement)
    failure = failure or _own_end(context, outcome)
    if failure is not None:
        return failure
    if measurement is None:
        return _no_value(context, outcome)
    if not math.isfinite(measurement.value):
        return Failure(
            Cause.NOT_A_NUMBER,
            f"{context}: {measurement.metric} is {measurement.value} ({measurement.source})",
            hint="the training diverged; a smaller learning rate often helps",
        )
    return None


def _limit(context: TrialContext, outcome: TrialOutcome) -> Failure | None:
    """A limit that ended the trial: told from counters and signals, or by the script's error."""
    facts, error, limits = outcome.exit, outcome.error, context.limits
    message = error.message if error else ""
    failed = facts.code != 0 or error is not None
    if facts.timed_out:
        return Failure(
            Cause.TIME_LIMIT,
            f"{context} took longer than {context.seconds:g} s and was ended",
            hint="raise budget.trial_time in pushtrain.toml",
        )
    if (facts.oom_killed and failed) or (error and error.type.endswith(_MEMORY_ERRORS)):
        return Failure(
            Cause.OUT_OF_MEMORY,
            f"{context} ran out of memory (limit {_bytes(limits.memory)}) in image "
            f"{context.image}{_at(error)}",
            *_place(error),
            hint="raise limits.memory in pushtrain.toml, or use smaller batches",
        )
    if facts.disk_exceeded or (failed and message.startswith(_DISK_ERRORS)):
        return Failure(
            Cause.DISK_FULL,
            f"{context} wrote more than it may (limit {_bytes(limits.disk)} on disk, "
            f"{_bytes(limits.shm)} in /tmp){_at(error)}",
            *_place(error),
            hint="raise limits.disk in pushtrain.toml, or let the script write less",
        )
    if failed and (facts.pids_exceeded or message.startswith(_NO_PROCESS)):
        return Failure(
            Cause.TOO_MANY_PROCESSES,
            f"{context} started more than {limits.pids} processes and threads{_at(error)}",
            *_place(error),
            hint="raise limits.pids in pushtrain.toml, or use fewer workers",
        )
    return None


def _refused_download(
    context: TrialContext, outcome: TrialOutcome, measurement: Measurement | None
) -> Failure | None:
    failed = outcome.exit.code != 0 or outcome.error is not None or measurement is None
    if context.limits.network or not outcome.network or not failed:
        return None
    first = outcome.network[0]
    where = f" at {first.file}:{first.line}" if first.file else ""
    return Failure(
        Cause.DOWNLOAD,
        f"{context} tried to reach {_address(first)}{where}, and its container has no network",
        first.file,
        first.line,
        hint=_DOWNLOAD_HINT,
    )


def _own_end(context: TrialContext, outcome: TrialOutcome) -> Failure | None:
    facts, error = outcome.exit, outcome.error
    if facts.stopped:
        return Failure(
            Cause.KILLED,
            f"{context} was stopped by a signal that was not ours",
            hint="see who sends signals to its container, and train it again",
        )
    if facts.signal is not None:
        return Failure(
            Cause.CRASH,
            f"{context} crashed: ended by {_signal(facts.signal)} in image {context.image}"
            f"{_at(error)}",
            *_place(error),
            hint=f"`pushtrain logs {context.run} {context.spec.number}` shows what it printed",
        )
    if error is not None:
        last = error.message.strip().splitlines()
        reason = f"{error.type}: {last[0]}" if last else error.type
        return Failure(
            Cause.USER_ERROR,
            f"{context} failed{_at(error)}: {clean(reason)}",
            *_place(error),
            hint=f"`pushtrain logs {context.run} {context.spec.number}` shows the traceback",
        )
    if facts.code != 0:
        return Failure(
            Cause.USER_ERROR,
            f"{context} left with exit code {facts.code}",
            hint=f"`pushtrain logs {context.run} {context.spec.number}` shows what it printed",
        )
    return None


def _no_value(context: TrialContext, outcome: TrialOutcome) -> Failure:
    names = sorted({m.metric for m in outcome.measurements})
    names = names or sorted({name for epoch in outcome.epochs for name in epoch.metrics})
    measured = f"only {', '.join(names[:10])}" if names else "nothing"
    return Failure(
        Cause.NO_VALUE,
        f"{context} ended well, but {context.objective.metric} was never measured: "
        f"{clean(measured)} was",
        hint="let the script evaluate it, or report it: "
        f"`import pushtrain; pushtrain.report({context.objective.metric}=...)`",
    )


# --- records -----------------------------------------------------------------------------------


def _measurements(outcome: TrialOutcome | None) -> tuple[Measurement, ...]:
    found = outcome.measurements if outcome else ()
    return tuple(Measurement(clean(m.metric), m.value, m.role, clean(m.source)) for m in found)


def _epochs(epochs: Sequence[EpochFacts]) -> tuple[Epoch, ...]:
    return tuple(Epoch(epoch.number, epoch.metrics, epoch.seconds) for epoch in epochs)


def _confusion(outcome: TrialOutcome | None) -> Confusion | None:
    if outcome is None or outcome.confusion is None:
        return None
    counts = outcome.confusion
    return Confusion(
        tuple(clean(label) for label in counts.labels), tuple(tuple(row) for row in counts.matrix)
    )


def _parameters(outcome: TrialOutcome | None) -> dict[str, object]:
    """The parameters as plain JSON of bounded size: they go into the journal and the manifest."""
    if outcome is None:
        return {}
    try:
        text = json.dumps(outcome.parameters, allow_nan=False)
    except ValueError:
        return {"dropped": "not finite numbers"}
    if len(text) > _MOST_PARAMETERS:
        return {"dropped": f"{len(text)} bytes"}
    return dict(outcome.parameters)


def _notes(outcome: TrialOutcome | None, notes: tuple[str, ...]) -> tuple[str, ...]:
    if outcome is None:
        return notes
    said = [*outcome.notes, *(f"left behind: {what}" for what in outcome.refused)]
    if outcome.log and outcome.log.dropped:
        said.append(f"{outcome.log.dropped} bytes of its log were beyond the limit and dropped")
    return (*notes, *(clean(line) for line in said))


# --- words -------------------------------------------------------------------------------------


def clean(text: str) -> str:
    """One printable line of at most 500 characters: what a script wrote reaches terminals."""
    line = "".join(c if c.isprintable() else " " for c in text[:501])
    return line if len(line) <= 500 else line[:499] + "…"


def _place(error: ScriptError | None) -> tuple[str | None, int | None]:
    return (clean(error.file), error.line) if error and error.file else (None, None)


def _at(error: ScriptError | None) -> str:
    return f" at {clean(error.file)}:{error.line}" if error and error.file else ""


def _address(connection: Connection) -> str:
    host = clean(connection.host)
    return f"{host}:{connection.port}" if connection.port else host


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _bytes(number: int) -> str:
    mib = number / 1024**2
    return f"{mib:.0f} MiB" if mib < 1024 else f"{mib / 1024:.1f} GiB"
