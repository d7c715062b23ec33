"""Why a trial gave no value: a cause from the facts of its end, and the next step."""

from __future__ import annotations

import math
import re
import signal

from pushtrain.entities import Cause, Failure, Measurement
from pushtrain.telling.text import size
from pushtrain.trial.job import Trial, clean
from pushtrain.trial.protocol import Connection, ScriptError, TrialOutcome

_OVER_LIMIT, _NO_SPACE = "[Errno 27]", ("[Errno 28]", "[Errno 122]")
"""How Python begins the message of EFBIG, and of ENOSPC and EDQUOT."""
_IN_MEMORY = ("'/dev/shm", "'/tmp")
"""How it names a file there."""
_MEMORY_ERRORS = ("MemoryError", "ResourceExhaustedError")
"""Of Python and NumPy; of TensorFlow."""
_MISSING = re.compile(r"No module named '([A-Za-z_][\w.]{0,199})'")
_NO_PROCESS = "[Errno 11]"

_DOWNLOAD_HINT = (
    "put the data into a directory of the engine's host and declare it under [data] in "
    "pushtrain.toml, or ask for the network by limits.network = true there, which the operator "
    "allows for this repository under [allow] network in config.toml"
)


def explain(
    trial: Trial, outcome: TrialOutcome | None, measurement: Measurement | None
) -> Failure | None:
    """The failure of a trial that ended by itself; None where it gave a value.

    Args:
        trial: which trial.
        outcome: what its worker said of it.
        measurement: the one that counts for the objective.
    """
    if outcome is None:
        return Failure(Cause.BAD_OUTPUT, f"{trial}: its worker gave no result")
    failure = _limit(trial, outcome) or _refused_download(trial, outcome, measurement)
    failure = failure or _own_end(trial, outcome)
    if failure is not None:
        return failure
    if measurement is None:
        return _no_value(trial, outcome)
    if not math.isfinite(measurement.value):
        return Failure(
            Cause.NOT_A_NUMBER,
            f"{trial}: {measurement.metric} is {measurement.value} ({measurement.source})",
            hint="the training diverged; a smaller learning rate often helps",
        )
    return None


def _limit(trial: Trial, outcome: TrialOutcome) -> Failure | None:
    """A limit that ended the trial: told from counters and signals, or by the script's error."""
    facts, error, limits = outcome.exit, outcome.error, trial.job.limits
    failed = facts.code != 0 or error is not None
    if (facts.oom_killed and failed) or (error and error.type.endswith(_MEMORY_ERRORS)):
        return Failure(
            Cause.OUT_OF_MEMORY,
            f"{trial} ran out of memory (limit {size(limits.memory)}) in image "
            f"{trial.image}{_at(error)}",
            *_place(error),
            hint="raise limits.memory in pushtrain.toml, or use smaller batches",
        )
    failure = _space(trial, outcome) if failed or facts.disk_exceeded else None
    if failure is not None:
        return failure
    if facts.timed_out:
        return Failure(
            Cause.TIME_LIMIT,
            f"{trial} took longer than {trial.job.trial_seconds:g} s and was ended",
            hint="raise budget.trial_time in pushtrain.toml",
        )
    if facts.stalled:
        return Failure(
            Cause.STALLED,
            f"{trial}: its processes lived and did nothing for a long time{_at(error)}",
            *_place(error),
            hint="look for what it waits for: a lock, a queue, or a process that has ended",
        )
    message = error.message if error else ""
    if failed and (facts.pids_exceeded or message.startswith(_NO_PROCESS)):
        return Failure(
            Cause.TOO_MANY_PROCESSES,
            f"{trial} started more than {limits.pids} processes and threads{_at(error)}",
            *_place(error),
            hint="raise limits.pids in pushtrain.toml, or use fewer workers",
        )
    return None


def _space(trial: Trial, outcome: TrialOutcome) -> Failure | None:
    """Which place had no room left: what the trial may write, shared memory, or the host's disk."""
    facts, error, limits = outcome.exit, outcome.error, trial.job.limits
    message = error.message if error else ""
    if facts.disk_exceeded or message.startswith(_OVER_LIMIT):
        return Failure(
            Cause.DISK_LIMIT,
            f"{trial} wrote more than it may (limit {size(limits.disk)} on disk){_at(error)}",
            *_place(error),
            hint="raise limits.disk in pushtrain.toml, or let the script write less",
        )
    is_full = message.startswith(_NO_SPACE)
    is_in_memory = facts.shm_full or any(place in message for place in _IN_MEMORY)
    if facts.signal == signal.SIGBUS or (is_full and is_in_memory):
        return Failure(
            Cause.SHARED_MEMORY,
            f"{trial} needs more than {size(limits.shm)} in /dev/shm or /tmp{_at(error)}",
            *_place(error),
            hint="raise limits.shm in pushtrain.toml, or use fewer data loading processes",
        )
    if is_full:
        return Failure(
            Cause.DISK_FULL,
            f"{trial}: the disk of the engine's host is full{_at(error)}: {clean(message)}",
            *_place(error),
            hint="make room there; `pushtrain clean` removes what is no longer needed",
        )
    return None


def _refused_download(
    trial: Trial, outcome: TrialOutcome, measurement: Measurement | None
) -> Failure | None:
    failed = outcome.exit.code != 0 or outcome.error is not None or measurement is None
    if trial.job.limits.network or not outcome.network or not failed:
        return None
    first = outcome.network[0]
    return Failure(
        Cause.DOWNLOAD,
        f"{trial} tried to reach {_address(first)}{_at(first)}, and its container has no network",
        *_place(first),
        hint=_DOWNLOAD_HINT,
    )


def _own_end(trial: Trial, outcome: TrialOutcome) -> Failure | None:
    facts, error = outcome.exit, outcome.error
    if facts.stopped:
        return Failure(
            Cause.KILLED,
            f"{trial} was stopped by a signal that was not ours",
            hint="see who sends signals to its container, and train it again",
        )
    if facts.signal == signal.SIGKILL:
        return Failure(
            Cause.KILLED,
            f"{trial}: its process was killed from outside (SIGKILL) in image {trial.image}",
            hint="see who killed it",
        )
    if facts.signal is not None:
        return Failure(
            Cause.CRASH,
            f"{trial} crashed: ended by {_signal(facts.signal)} in image {trial.image}{_at(error)}",
            *_place(error),
            hint=f"{trial.logs} shows what it printed",
        )
    if error is not None:
        return _raised(trial, error)
    if facts.code != 0:
        return Failure(
            Cause.USER_ERROR,
            f"{trial} left with exit code {facts.code}",
            hint=f"{trial.logs} shows what it printed",
        )
    return None


def _raised(trial: Trial, error: ScriptError) -> Failure:
    missing = _MISSING.match(error.message) if error.type == "ModuleNotFoundError" else None
    if missing:
        return Failure(
            Cause.MISSING_MODULE,
            f"{trial} imports {missing[1]}, which image {trial.image} does not hold{_at(error)}",
            *_place(error),
            hint="name what brings it in requirements.txt or under [image] packages in "
            "pushtrain.toml",
            subject=missing[1],
        )
    last = error.message.strip().splitlines()
    reason = f"{error.type}: {last[0]}" if last else error.type
    return Failure(
        Cause.USER_ERROR,
        f"{trial} failed{_at(error)}: {clean(reason)}",
        *_place(error),
        hint=f"{trial.logs} shows the traceback",
    )


def _no_value(trial: Trial, outcome: TrialOutcome) -> Failure:
    names = sorted({m.metric for m in outcome.measurements})
    names = names or sorted({name for epoch in outcome.epochs for name in epoch.metrics})
    measured = f"only {', '.join(names[:10])}" if names else "nothing"
    return Failure(
        Cause.NO_VALUE,
        f"{trial} ended well, but {trial.job.objective.metric} was never measured: "
        f"{clean(measured)} was",
        hint="let the script evaluate it, or report it: "
        f"`import pushtrain; pushtrain.report({trial.job.objective.metric}=...)`",
    )


def _place(what: ScriptError | Connection | None) -> tuple[str | None, int | None]:
    return (clean(what.file), what.line) if what and what.file else (None, None)


def _at(what: ScriptError | Connection | None) -> str:
    return f" at {clean(what.file)}:{what.line}" if what and what.file else ""


def _address(connection: Connection) -> str:
    host = clean(connection.host)
    return f"{host}:{connection.port}" if connection.port else host


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
