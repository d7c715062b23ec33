"""A run in the words of its report and its messages: outcome, reason, next step, what changed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from pushtrain.addresses import without_credentials
from pushtrain.entities import (
    Failure,
    Interval,
    Knob,
    KnobValue,
    RunState,
    TrialResult,
    Verdict,
)
from pushtrain.record import RunRecord
from pushtrain.telling.text import knob_value, measured, number, target, visible


class Outcome(StrEnum):
    """How a run stands, as people are told."""

    MET = "met"
    NOT_MET = "not met"
    FAILED = "failed"
    STOPPED = "stopped"
    SUPERSEDED = "superseded"
    RUNNING = "running"


_OUTCOMES = {
    RunState.MET: Outcome.MET,
    RunState.SPENT: Outcome.NOT_MET,
    RunState.FAILED: Outcome.FAILED,
    RunState.STOPPED: Outcome.STOPPED,
    RunState.SUPERSEDED: Outcome.SUPERSEDED,
}

_HEADLINES = {
    Outcome.MET: "Target met",
    Outcome.NOT_MET: "Target not met",
    Outcome.FAILED: "Run failed",
    Outcome.STOPPED: "Run stopped",
    Outcome.SUPERSEDED: "Superseded by a newer push",
    Outcome.RUNNING: "Still training",
}


_STEPS = {
    Outcome.MET: "nothing to change: the code as pushed meets its target",
    Outcome.NOT_MET: (
        "raise the budget (--trials, --time): what was learnt is kept and tried first; "
        "or widen [knobs] in pushtrain.toml, or lower the target"
    ),
    Outcome.STOPPED: (
        "go on with it by `pushtrain resume`, which continues from its checkpoints, or push again"
    ),
    Outcome.SUPERSEDED: "look at the run of the newer push: pushtrain runs",
}


@dataclass(frozen=True, slots=True)
class KnobChange:
    """One knob, as pushed and as it won: `share` of importance where known, else None."""

    name: str
    place: str
    pushed: str
    winning: str
    range: str
    is_changed: bool
    share: float | None


@dataclass(frozen=True, slots=True)
class Summary:
    """What is said first about a run; every text is one harmless line.

    Attributes:
        project: the repository's last name.
        commit: seven characters of the commit, as Git abbreviates it.
        outcome: how it stands.
        headline: the outcome in two or three words.
        metric, value, target: the objective and the best value, where known.
        reason: what happened and where, in a sentence or two.
        next_step: what to do now.
    """

    project: str
    commit: str
    outcome: Outcome
    headline: str
    metric: str
    value: str
    target: str
    reason: str
    next_step: str


def summarise(record: RunRecord) -> Summary:
    """The summary of a run, finished or under way."""
    outcome = _OUTCOMES.get(record.state, Outcome.RUNNING)
    best = winner(record)
    objective = record.objective
    value = best.value if best else None
    return Summary(
        project=project(record),
        commit=record.push.short[:7] if record.push else "",
        outcome=outcome,
        headline=_HEADLINES[outcome],
        metric=visible(objective.metric, 40) if objective else "",
        value=measured(value, objective) if best else "",
        target=target(objective) if objective else "",
        reason=visible(without_credentials(_reason(record, outcome, best)), 1000),
        next_step=visible(without_credentials(_next_step(record, outcome, best)), 1000),
    )


def project(record: RunRecord) -> str:
    """The repository's last name, without `.git`."""
    address = without_credentials(record.push.repository) if record.push else ""
    name = re.split(r"[/:\\]", address.rstrip("/\\"))[-1].removesuffix(".git")
    return visible(name, 60) or "run"


def winner(record: RunRecord) -> TrialResult | None:
    """The trial that the verdict names, and until there is one the best so far."""
    if record.verdict is None:
        return record.best
    best = record.verdict.best
    return None if best is None else record.trials.get(best)


def knob_changes(record: RunRecord, importances: Mapping[str, float]) -> tuple[KnobChange, ...]:
    """Every knob, the changed ones first, then by how much it mattered."""
    best = winner(record)
    values: Mapping[str, KnobValue] = best.values if best else {}
    changes = [_change(knob, values.get(knob.name), importances) for knob in record.knobs]
    return tuple(sorted(changes, key=lambda c: (not c.is_changed, -(c.share or 0.0))))


def _change(knob: Knob, won: KnobValue | None, importances: Mapping[str, float]) -> KnobChange:
    is_changed = won is not None and won != knob.value
    return KnobChange(
        name=visible(knob.name, 80),
        place=visible(f"{knob.file}:{knob.line}", 120),
        pushed=knob_value(knob.value),
        winning=knob_value(won if is_changed else knob.value),
        range=_range(knob),
        is_changed=is_changed,
        share=importances.get(knob.name),
    )


def _range(knob: Knob) -> str:
    if isinstance(knob.range, Interval):
        scale = ", log scale" if knob.range.log else ""
        return f"{number(knob.range.low)} to {number(knob.range.high)}{scale}"
    return visible(", ".join(knob_value(choice) for choice in knob.range.choices), 160)


def first_failure(record: RunRecord) -> Failure | None:
    """The failure of the earliest trial that failed."""
    failures = (r.failure for _, r in sorted(record.trials.items()) if r.failure is not None)
    return next(failures, None)


def _reason(record: RunRecord, outcome: Outcome, best: TrialResult | None) -> str:
    verdict = record.verdict
    if verdict is None:
        done = len(record.trials)
        return f"{done} trial{'' if done == 1 else 's'} finished so far" if done else "no trial yet"
    if outcome is Outcome.FAILED:
        return _why_failed(record, verdict)
    if best is None or best.measurement is None:
        return verdict.reason
    where = f"trial {best.number}, {best.measurement.source} ({best.measurement.role})"
    if outcome in (Outcome.STOPPED, Outcome.SUPERSEDED):
        return verdict.reason
    if len(verdict.confirmed) > 0:
        values = ", ".join(measured(v, record.objective) for v in verdict.confirmed)
        return f"{where}; under other seeds: {values}"
    return where


def _why_failed(record: RunRecord, verdict: Verdict) -> str:
    if message := verdict.error.get("message"):
        return str(message)
    failure = first_failure(record)
    if failure is None:
        return verdict.reason
    place = f"{failure.file}:{failure.line}: " if failure.file else ""
    return f"{place}{failure.message} ({failure.cause})"


def _next_step(record: RunRecord, outcome: Outcome, best: TrialResult | None) -> str:
    if outcome is Outcome.FAILED:
        hint = str(record.verdict.error.get("hint", "")) if record.verdict else ""
        failure = first_failure(record)
        logs = f"read what the script printed: pushtrain logs {record.id}"
        return hint or (failure.hint if failure else "") or logs
    if outcome is Outcome.NOT_MET and best is None and record.verdict is not None:
        return record.verdict.reason
    if outcome is Outcome.MET and any(knob.is_changed for knob in knob_changes(record, {})):
        return f"take the change over: pushtrain patch {record.id} | git apply"
    return _STEPS.get(outcome, f"follow it: pushtrain logs {record.id} -f")
