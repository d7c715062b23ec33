"""`pushtrain show`: one run, whole; live while it works."""

from __future__ import annotations

from dataclasses import asdict
from typing import NoReturn

import click

from pushtrain.cli.following import Follower
from pushtrain.cli.progress import changes, outcome, progress_for, verdict_line
from pushtrain.cli.render import ago, emit, fixed, json_option, verdict_json
from pushtrain.cli.runs import state
from pushtrain.cli.tables import table
from pushtrain.entities import Verdict
from pushtrain.errors import PushtrainError
from pushtrain.record import RunRecord
from pushtrain.settings import home
from pushtrain.store import RunFolder, Store
from pushtrain.telling.text import duration


@click.command()
@click.argument("run", metavar="RUN", default="last")
@click.option("-f", "--follow", is_flag=True, help="Go on until the run has its verdict.")
@click.option("--verdict", is_flag=True, help="Show the verdict alone.")
@json_option
def command(run: str, follow: bool, verdict: bool, as_json: bool) -> None:
    """Show the run whose id begins with RUN (default: the newest).

    With --follow or --verdict the exit code is the run's own.
    """
    folder = Store(home()).open(run)
    if follow:
        _follow(folder, as_json=as_json)
    record = folder.record()
    if verdict:
        if record.verdict is None:
            raise PushtrainError(
                f"run {folder.id} has no verdict yet",
                hint=f"`pushtrain show {folder.id} --follow` waits for it",
                run=folder.id,
            )
        _conclude(folder, record.verdict, as_json=as_json)
    if as_json:
        emit(_facts(folder, record))
    else:
        _show(folder, record)


def _follow(folder: RunFolder, *, as_json: bool) -> NoReturn:
    with progress_for(as_json=as_json) as progress:
        verdict = Follower(folder, progress).to_verdict()
    if verdict is None:
        raise PushtrainError(
            f"run {folder.id} was abandoned: no process works on it",
            hint=f"`pushtrain resume {folder.id}` goes on with it",
            run=folder.id,
        )
    _conclude(folder, verdict, as_json=as_json)


def _conclude(folder: RunFolder, verdict: Verdict, *, as_json: bool) -> NoReturn:
    if as_json:
        emit(verdict_json(verdict, folder.path))
    else:
        click.echo(verdict_line(verdict))
    raise click.exceptions.Exit(verdict.exit_code)


def _show(folder: RunFolder, record: RunRecord) -> None:
    push = record.push
    rows = [
        ("run", f"{record.id}, {_state(folder, record)}, started {ago(record.started)}"),
        ("push", f"{push.repository} at {push.short} {push.branch or ''}" if push else "-"),
        ("trains", _trains(record)),
        ("target", str(record.objective or "-")),
        ("image", f"{record.image.plan.tag} {record.image.id[7:19]}" if record.image else "-"),
        ("data", ", ".join((record.data_fingerprint[:19], *record.data_directories))),
        ("files", str(folder.path)),
    ]
    if record.verdict:
        rows.append(("verdict", verdict_line(record.verdict)))
    if folder.report.exists():
        rows.append(("report", str(folder.report)))
    for name, value in rows:
        click.echo(f"{click.style(f'{name:8}', bold=True)} {value}")
    for warning in record.warnings:
        click.secho(f"warning  {warning}", fg="yellow")
    if record.trials:
        click.echo()
        table(("TRIAL", "STATE", "VALUE", "TIME", "ORIGIN", "CHANGES"), _trials(record))


def _state(folder: RunFolder, record: RunRecord) -> str:
    return state(record, is_driven=record.verdict is None and folder.is_driven)


def _trains(record: RunRecord) -> str:
    found = record.detection
    return f"{found.entry}: {found.framework}, {found.family}" if found else "-"


def _trials(record: RunRecord) -> list[tuple[str, ...]]:
    best = record.best
    return [
        (
            f"{number}{' *' if best and number == best.number else ''}",
            result.state.value if result.failure is None else outcome(result),
            fixed(result.value) if result.value is not None else "-",
            duration(result.seconds),
            record.origins.get(number, ""),
            changes(record, dict(result.values)),
        )
        for number, result in sorted(record.trials.items())
    ]


def _facts(folder: RunFolder, record: RunRecord) -> dict[str, object]:
    facts = asdict(record)
    facts.pop("epochs")
    facts["waiting"] = sorted(record.waiting)
    facts["trials"] = [facts["trials"][number] for number in sorted(record.trials)]
    return {
        **facts,
        "run": record.id,
        "state": _state(folder, record),
        "folder": folder.path,
        "verdict": verdict_json(record.verdict, folder.path) if record.verdict else None,
    }
