"""`pushtrain logs`: what a trial printed."""

from __future__ import annotations

import time
from codecs import IncrementalDecoder, getincrementaldecoder
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
        _follow(folder, trial, as_json=as_json)
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


def _follow(folder: RunFolder, trial: int | None, *, as_json: bool) -> None:
    """Prints the logs as they grow, until the trial or the run has ended."""
    follower = _Follower(folder, as_json=as_json)
    first: int | None = None
    while True:
        is_over = not folder.is_driven
        record = folder.record()
        is_over = is_over or record.verdict is not None or trial in record.trials
        started = list(record.origins) if trial is None else [trial]
        if first is None and started:
            first = next((i for i, n in enumerate(started) if n in record.running), -1)
            first %= len(started)
        for number in started[first:]:
            follower.print_rest(number)
        if is_over:
            if trial is not None:
                _log(folder, trial)  # says so where it never printed anything
            return
        time.sleep(_LOOK)


class _Follower:
    """Prints what was added to logs since it last looked."""

    def __init__(self, folder: RunFolder, *, as_json: bool) -> None:
        self._folder = folder
        self._as_json = as_json
        self._offsets: dict[int, int] = {}
        self._decoders: dict[int, IncrementalDecoder] = {}
        self._last: int | None = None

    def print_rest(self, trial: int) -> None:
        path = self._folder.trials / str(trial) / "log.txt"
        if not path.exists():
            return
        with path.open("rb") as file:
            file.seek(self._offsets.get(trial, 0))
            content = file.read()
            self._offsets[trial] = file.tell()
        decoder = self._decoders.setdefault(trial, getincrementaldecoder("utf-8")("replace"))
        text = decoder.decode(content)  # a character may be only half written yet
        if not text:
            return
        if self._as_json:
            emit({"run": self._folder.id, "trial": trial, "log": text})
            return
        if self._last not in (None, trial):
            click.echo(f"--- trial {trial} ---")
        self._last = trial
        click.echo(text, nl=False)
