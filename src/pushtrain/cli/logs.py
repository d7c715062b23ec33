"""`pushtrain logs`: what a trial printed."""

from __future__ import annotations

import time
from pathlib import Path

import click

from pushtrain.cli.render import emit, json_option
from pushtrain.errors import UsageError
from pushtrain.record import RunRecord
from pushtrain.settings import home
from pushtrain.store import RunFolder, Store

_LOOK = 0.3
"""Seconds between two looks at a log that is followed."""


@click.command()
@click.argument("run", metavar="RUN", default="last")
@click.argument("trial", metavar="[TRIAL]", type=click.IntRange(0), required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on while the run works.")
@json_option
def command(run: str, trial: int | None, follow: bool, as_json: bool) -> None:
    """Print what a trial of RUN printed: the given one, else the one under way, else the best.

    With --follow and no TRIAL, each trial's log follows the one before.
    """
    folder = Store(home()).open(run)
    if follow:
        _follow(folder, trial)
        return
    number = trial if trial is not None else _of_interest(folder.record())
    text = _log(folder, number).read_text("utf-8", "replace") if number is not None else ""
    if as_json:
        emit({"run": folder.id, "trial": number, "log": text})
    else:
        click.echo(text, nl=False)


def _of_interest(record: RunRecord) -> int | None:
    """The trial that one would want to read first."""
    if record.running:
        return min(record.running)
    if record.best:
        return record.best.number
    return max(record.trials, default=None)


def _log(folder: RunFolder, trial: int) -> Path:
    path = folder.trials / str(trial) / "log.txt"
    if not path.exists():
        known = sorted(int(p.parent.name) for p in folder.trials.glob("*/log.txt"))
        raise UsageError(
            f"run {folder.id} has no log of trial {trial}",
            hint=f"there are logs of {', '.join(map(str, known)) or 'no trial yet'}",
            run=folder.id,
            trials=known,
        )
    return path


def _follow(folder: RunFolder, trial: int | None) -> None:
    """Prints the logs as they grow, until the trial or the run has ended."""
    printed: dict[int, int] = {}
    while True:
        is_over = not folder.is_driven
        record = folder.record()
        wanted = [trial] if trial is not None else sorted(record.running or record.trials)[-1:]
        is_over = is_over or record.verdict is not None or trial in record.trials
        for number in wanted:
            _print_rest(folder, number, printed)
        if is_over:
            return
        time.sleep(_LOOK)


def _print_rest(folder: RunFolder, trial: int, printed: dict[int, int]) -> None:
    path = folder.trials / str(trial) / "log.txt"
    if not path.exists():
        return
    with path.open("rb") as file:
        if trial not in printed and printed:
            click.echo(f"--- trial {trial} ---")
        file.seek(printed.get(trial, 0))
        content = file.read()
        printed[trial] = file.tell()
    click.echo(content.decode("utf-8", "replace"), nl=False)
