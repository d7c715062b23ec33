"""What the report says, as plain values for its template: every string here is harmless."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from pushtrain.addresses import without_credentials
from pushtrain.entities import KnobValue, TrialResult
from pushtrain.record import RunRecord
from pushtrain.report.diff import diff_lines
from pushtrain.telling.summary import knob_changes, summarise, winner
from pushtrain.telling.text import duration, knob_value, measured, visible

MOST_TRIALS = 1000
MOST_KNOBS = 200
_MOST_CHANGES = 12
_MOST_NOTES = 100
_MOST_LISTED = 10


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One line of the table of all trials."""

    number: int
    state: str
    value: str
    role: str
    epochs: str
    duration: str
    origin: str
    changes: str
    is_best: bool


def content(record: RunRecord, patch: bytes, importances: Mapping[str, float]) -> dict[str, object]:
    """The template's values, except for the plots."""
    knobs = knob_changes(record, importances)
    best = winner(record)
    rows = [_row(record, result, best) for _, result in sorted(record.trials.items())]
    return {
        "run": record.id,
        "summary": summarise(record),
        "knobs": knobs[:MOST_KNOBS],
        "knobs_more": max(0, len(knobs) - MOST_KNOBS),
        "has_shares": any(knob.share is not None for knob in knobs),
        "changed": sum(knob.is_changed for knob in knobs),
        "diff": diff_lines(patch),
        "trials": rows[:MOST_TRIALS],
        "trials_more": max(0, len(rows) - MOST_TRIALS),
        "notes": _notes(record),
        "warnings": [visible(without_credentials(text), 500) for text in record.warnings[:50]],
        "lineage": _lineage(record, best),
        "versions": _versions(best),
        "best": best.number if best else None,
        "written": _moment(record.updated),
    }


def _row(record: RunRecord, result: TrialResult, best: TrialResult | None) -> TrialRow:
    measurement = result.measurement
    failure = result.failure
    why = f"{failure.cause}: {failure.message}" if failure else ""
    if failure and failure.file:
        why = f"{failure.file}:{failure.line}: {why}"
    return TrialRow(
        number=result.number,
        state=str(result.state),
        value=measured(measurement.value, record.objective) if measurement else "–",
        role=str(measurement.role) if measurement else "",
        epochs=str(len(result.epochs)) if result.epochs else "–",
        duration=duration(result.seconds),
        origin=visible(record.origins.get(result.number, ""), 40),
        changes=visible(without_credentials(why), 300) or _changes(record, result.values),
        is_best=best is not None and result.number == best.number,
    )


def _notes(record: RunRecord) -> list[tuple[str, str]]:
    """(trials, note): what people should know of single trials, the same thing once."""
    trials: dict[str, list[int]] = {}
    for number, result in sorted(record.trials.items()):
        for note in result.notes:
            trials.setdefault(visible(without_credentials(note), 500), []).append(number)
    return [(_listed(numbers), note) for note, numbers in list(trials.items())[:_MOST_NOTES]]


def _listed(numbers: list[int]) -> str:
    """`trial 3`, `trials 0, 1, 2`, `trials 0, 1, 2 and 17 more`."""
    shown = ", ".join(map(str, numbers[:_MOST_LISTED]))
    more = len(numbers) - _MOST_LISTED
    one = "trial" if len(numbers) == 1 else "trials"
    return f"{one} {shown} and {more} more" if more > 0 else f"{one} {shown}"


def _changes(record: RunRecord, values: Mapping[str, KnobValue]) -> str:
    """The values that differ from the code as pushed: `units 64, rate 0.3`."""
    pushed = {knob.name: knob.value for knob in record.knobs}
    changed = [(n, v) for n, v in values.items() if n not in pushed or pushed[n] != v]
    if not changed:
        return "as pushed"
    shown = ", ".join(f"{visible(n, 60)} {knob_value(v)}" for n, v in changed[:_MOST_CHANGES])
    more = len(changed) - _MOST_CHANGES
    return f"{shown} and {more} more" if more > 0 else shown


def _lineage(record: RunRecord, best: TrialResult | None) -> list[tuple[str, str]]:
    push, detection, verdict = record.push, record.detection, record.verdict
    what = detection and " ".join(
        part for part in (detection.framework, detection.backend, detection.family) if part
    )
    facts = {
        "Run": record.id,
        "Repository": without_credentials(push.repository) if push else None,
        "Commit": push.commit if push else None,
        "Branch": push.branch if push else None,
        "Script": detection.entry if detection else None,
        "Recognised as": what or None,
        "Data": record.data_fingerprint,
        "Image": record.plan.tag if record.plan else None,
        "Image id": record.image.id if record.image else None,
        "Value from": best
        and best.measurement
        and f"{best.measurement.source}, {best.measurement.role}",
        "Seed": str(best.seed if best else record.seed),
        "Started": _moment(record.started),
        "Duration": duration(verdict.seconds if verdict else record.updated - record.started),
        "pushtrain": record.version,
    }
    return [(name, visible(value, 300)) for name, value in facts.items() if value]


def _versions(best: TrialResult | None) -> list[tuple[str, str]]:
    versions = sorted(best.versions.items()) if best else []
    return [(visible(name, 60), visible(version, 40)) for name, version in versions[:300]]


def _moment(unix: float) -> str:
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%d %H:%M UTC") if unix else ""
