"""What came of a trial: from how it ended to its result."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from pushtrain.entities import (
    Artifact,
    Confusion,
    Epoch,
    Failure,
    Measurement,
    TrialResult,
    TrialState,
)
from pushtrain.objective import choose
from pushtrain.trial.failure import explain
from pushtrain.trial.job import Trial, clean
from pushtrain.trial.protocol import EpochFacts, TrialOutcome

_MOST_PARAMETERS = 256 * 1024


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
    trial: Trial, end: TrialEnd, *, pruned: bool = False, stopped: bool = False
) -> TrialResult:
    """The result of a trial; `pruned` and `stopped` say that the driver asked for its end."""
    outcome, spec = end.outcome, trial.spec
    measurements = _measurements(outcome)
    epochs = _epochs(outcome.epochs) if outcome and outcome.epochs else end.epochs
    measurement = choose(measurements, epochs, trial.job.objective)
    failure = end.failure
    if not (stopped or pruned) and failure is None:
        failure = explain(trial, outcome, measurement)
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
        # What a trial measured before it failed or was ended proves nothing.
        measurement=measurement if state is TrialState.COMPLETE else None,
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
