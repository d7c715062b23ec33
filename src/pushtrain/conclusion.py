"""From what a run did to its verdict: pure, so that it can be read and tested at a glance."""

from __future__ import annotations

from dataclasses import replace
from statistics import fmean, pstdev

from pushtrain.entities import Failure, RunState, TrialResult, Verdict
from pushtrain.errors import BudgetSpent, PushtrainError, Stopped, TrainingError
from pushtrain.record import RunRecord
from pushtrain.training import ON_TRAINING_DATA, Ending

_EXIT_CODES = {
    RunState.MET: 0,
    RunState.SPENT: BudgetSpent.exit_code,
    RunState.FAILED: TrainingError.exit_code,
    RunState.STOPPED: Stopped.exit_code,
    RunState.SUPERSEDED: Stopped.exit_code,
}


def judge(record: RunRecord, ending: Ending, now: float) -> Verdict:
    """The verdict of a run whose trials have ended.

    A budget that is spent on trials that all failed is a failure, with trial 0's cause.
    """
    best = record.best
    state, failure = ending.state, ending.failure
    if state is RunState.SPENT and best is None and not _was_trained(record):
        failure = _first_failure(record)
        state = RunState.FAILED if failure else RunState.SPENT
    reason = _reason(record, Ending(state, failure, ending.spent), best)
    return _verdict(record, state, now, reason, best)


def judge_error(record: RunRecord, error: PushtrainError, now: float) -> Verdict:
    """The verdict of a run that an error ended; it keeps the error's exit code."""
    verdict = _verdict(record, RunState.FAILED, now, str(error), record.best)
    return replace(verdict, exit_code=error.exit_code, error=error.as_json())


def _verdict(
    record: RunRecord, state: RunState, now: float, reason: str, best: TrialResult | None
) -> Verdict:
    measurement = best.measurement if best else None
    confirmed = tuple(r.value for r in record.confirmations if r.value is not None)
    return Verdict(
        run=record.id,
        state=state,
        objective=record.objective,
        best=best.number if best else None,
        value=measurement.value if measurement else None,
        source=f"{measurement.source} ({measurement.role})" if measurement else None,
        trials=len(record.origins) - len(record.confirmations),
        image=record.plan.tag if record.plan else None,
        seconds=max(now - record.started, 0.0),
        reason=reason,
        exit_code=_EXIT_CODES[state],
        confirmed=confirmed,
    )


def _reason(record: RunRecord, ending: Ending, best: TrialResult | None) -> str:
    if ending.failure is not None:
        return _told(ending.failure)
    match ending.state:
        case RunState.STOPPED | RunState.SUPERSEDED:
            by = record.stop.reason if record.stop else "interrupted"
            return f"{by}; best so far: {_value(record, best)}"
        case RunState.SPENT:
            return _why_spent(record, ending, best)
        case _:
            return _met(record, best)


def _why_spent(record: RunRecord, ending: Ending, best: TrialResult | None) -> str:
    if ON_TRAINING_DATA in record.warnings:
        return ON_TRAINING_DATA
    if not _was_trained(record):
        return f"no trial came to its end; {ending.spent}"
    if best is None:
        return (
            f"{_metric(record)} was only measured on the data that the model was trained on; "
            "let the script evaluate on held-out data, or give `fit` validation data"
        )
    value = f"best {_value(record, best)} (target {record.objective}), trial {best.number}"
    return f"{value}; {ending.spent}, or lower the target"


def _met(record: RunRecord, best: TrialResult | None) -> str:
    number = best.number if best else "-"
    text = f"{_value(record, best)} (target {record.objective}), trial {number}"
    values = [r.value for r in record.confirmations if r.value is not None]
    if not values:
        return text
    spread = pstdev(values) if len(values) > 1 else 0.0
    return f"{text}; {len(values)} other seeds: mean {fmean(values):.4g}, spread {spread:.2g}"


def _told(failure: Failure) -> str:
    place = f"{failure.file}:{failure.line}: " if failure.file else ""
    hint = f"; {failure.hint}" if failure.hint else ""
    return f"{place}{failure.message}{hint}"


def _value(record: RunRecord, best: TrialResult | None) -> str:
    if best is None or best.value is None:
        return "no value"
    return f"{_metric(record)} {best.value:.4g}"


def _metric(record: RunRecord) -> str:
    return record.objective.metric if record.objective else "the metric"


def _was_trained(record: RunRecord) -> bool:
    return any(result.value is not None for result in record.trials.values())


def _first_failure(record: RunRecord) -> Failure | None:
    for _, result in sorted(record.trials.items()):
        if result.failure is not None:
            return result.failure
    return None
