"""Three ways to show a run while it works: JSON lines, plain lines, a live view on a terminal."""

from __future__ import annotations

import sys
import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol, Self

import click

from pushtrain.cli.render import emit, fixed
from pushtrain.entities import Epoch, RunState, TrialResult, Verdict
from pushtrain.events import (
    EVENT,
    AttemptFailed,
    DriverLost,
    Entry,
    EpochEnded,
    ImageReady,
    Judged,
    KnobsFound,
    MessageFailed,
    MessageSent,
    PatchCommitted,
    Planned,
    Reopened,
    Replanned,
    RunStarted,
    StateChanged,
    StopRequested,
    TrialEnded,
    TrialResumed,
    TrialStarted,
    Warned,
)
from pushtrain.objective import epoch_value
from pushtrain.record import RunRecord
from pushtrain.telling.text import duration


class Progress(AbstractContextManager["Progress"], Protocol):
    """Shows a run; a context manager, so that a live view gives the terminal back."""

    def on_entry(self, entry: Entry, record: RunRecord) -> None:
        """Something happened."""

    def on_line(self, line: str) -> None:
        """A step that takes long says what it does."""


def progress_for(*, as_json: bool) -> Progress:
    """The way that fits the reader: `--json`, a terminal, or anything else."""
    if as_json:
        return JsonLines()
    if not sys.stdout.isatty():
        return PlainLines()
    from pushtrain.cli.live_view import LiveView  # noqa: PLC0415  Rich takes long to import

    return LiveView()


class _Progress:
    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None


class JsonLines(_Progress):
    """One event a line; the verdict is printed last, by the command."""

    def on_entry(self, entry: Entry, record: RunRecord) -> None:
        """Prints the event."""
        if isinstance(entry.event, Judged):
            return
        data = EVENT.dump_python(entry.event, mode="json")
        emit({"run": record.id, "seq": entry.seq, "time": entry.time, **data})

    def on_line(self, line: str) -> None:
        """Long steps speak on stderr, which is for people."""
        click.echo(line, err=True)


class PlainLines(_Progress):
    """A line for each thing that a reader of a log wants to know."""

    def on_entry(self, entry: Entry, record: RunRecord) -> None:
        """Prints a line, if the event deserves one."""
        line = told(entry, record)
        if line:
            click.echo(f"{time.strftime('%H:%M:%S', time.localtime(entry.time))} {line}")

    def on_line(self, line: str) -> None:
        """Prints the line, set in."""
        click.echo(f"         {line}")


def told(entry: Entry, record: RunRecord) -> str | None:  # noqa: PLR0911, PLR0912  one case per event
    """An event as one line for people; None for what they need not read."""
    match entry.event:
        case RunStarted(push=push):
            branch = f" ({push.branch})" if push.branch else ""
            return f"run {record.id}: {push.repository} at {push.short}{branch}"
        case Planned(detection=found, objective=objective, budget=budget):
            return (
                f"{found.entry}: {found.framework} {found.family}; target {objective} within "
                f"{budget.trials} trials and {duration(budget.seconds)}"
            )
        case KnobsFound(knobs=knobs):
            return f"{len(knobs)} knobs: {', '.join(knob.name for knob in knobs) or 'none found'}"
        case ImageReady(image=image, built=built, seconds=seconds):
            how = f"built in {duration(seconds)}" if built else "is there already"
            return f"image {image.plan.tag} {how}"
        case StateChanged(state=RunState.BUILDING):
            return f"image {record.plan.tag if record.plan else ''} is being readied"
        case TrialStarted(trial=trial, origin=origin, attempt=attempt):
            again = f", attempt {attempt}" if attempt > 1 else ""
            return f"trial {trial} starts ({origin}{_changes(record, trial)}{again})"
        case AttemptFailed() as event:
            remedy = f"; {event.remedy}" if event.remedy else ""
            soon = f" in {duration(event.pause)}" if event.pause >= 1 else ""
            return f"{event.failure.message}{remedy}; it is started again{soon}"
        case TrialResumed(trial=trial, epochs=epochs):
            after = f"after epoch {epochs}" if epochs else "from its checkpoint"
            return f"trial {trial} goes on {after}"
        case Replanned(plan=plan, why=why):
            return f"image {plan.tag}: {why}"
        case EpochEnded(trial=trial, epoch=epoch, epochs=epochs):
            of = f"/{epochs}" if epochs else ""
            return f"trial {trial} epoch {epoch.number}{of} {epoch_value_text(record, epoch)}"
        case TrialEnded(result=result):
            return f"trial {result.number} {outcome(result)}"
        case DriverLost(times=times):
            return f"the driver died; a new one goes on (number {times})"
        case StopRequested(reason=reason):
            return f"stop: {reason}"
        case Reopened():
            return "the run goes on"
        case Warned(message=message):
            return f"warning: {message}"
        case PatchCommitted(branch=branch):
            return f"the winning patch is committed to {branch}"
        case MessageSent(channel=channel):
            return f"told by {channel}"
        case MessageFailed(channel=channel, error=error):
            return f"{channel} could not be told: {error}"
        case _:
            return None


def outcome(result: TrialResult) -> str:
    """A trial's end in a few words: value, or why there is none."""
    took = duration(result.seconds)
    if result.failure is not None:
        return f"{result.state}: {result.failure.message} ({took})"
    measured = result.measurement
    if measured is None:
        return f"{result.state} ({took})"
    return (
        f"{result.state}: {measured.metric} {fixed(measured.value)} by {measured.source} ({took})"
    )


def changes(record: RunRecord, values: dict[str, object]) -> str:
    """What differs from the code as pushed: "units 32→64, epochs 6→12"."""
    pushed = {knob.name: knob.value for knob in record.knobs}
    return ", ".join(
        f"{name} {pushed[name]}→{value}"
        for name, value in values.items()
        if name in pushed and pushed[name] != value
    )


def _changes(record: RunRecord, trial: int) -> str:
    text = changes(record, dict(record.running[trial].values)) if trial in record.running else ""
    return f": {text}" if text else ""


def epoch_value_text(record: RunRecord, epoch: Epoch) -> str:
    """The objective's metric in an epoch; of one that lacks it, the first metrics."""
    value = epoch_value(epoch, record.objective) if record.objective else None
    if value is None or record.objective is None:
        return " ".join(f"{k} {fixed(v)}" for k, v in list(epoch.metrics.items())[:2])
    return f"{record.objective.metric} {fixed(value)}"


def verdict_line(verdict: Verdict) -> str:
    """The verdict as one line for people."""
    return f"{verdict.state.upper()}: {verdict.reason}"
