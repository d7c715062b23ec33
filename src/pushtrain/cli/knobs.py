"""`pushtrain knobs`: the hyperparameters that can be tuned, each with place, value and range."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from pushtrain.cli.render import emit, json_option
from pushtrain.cli.tables import table
from pushtrain.detect import detect
from pushtrain.entities import Interval, Knob
from pushtrain.knobs import find_knobs
from pushtrain.settings import load_repository


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@json_option
def command(path: Path, as_json: bool) -> None:
    """List what can be tuned in the script or repository at PATH, without running it.

    [knobs] in its pushtrain.toml includes, excludes and sets ranges by these names.
    """
    root = path if path.is_dir() else path.parent
    settings = load_repository(root)
    detection = detect(path, settings.train)
    knobs = find_knobs(root, detection, settings.knobs)
    if as_json:
        emit([asdict(knob) for knob in knobs])
    elif knobs:
        table(("KNOB", "VALUE", "RANGE", "WHERE", "REACHES"), [_row(knob) for knob in knobs])
    elif detection.trains:
        click.echo(
            f"{detection.entry} has nothing to tune; docs/07-knobs.md says what is looked for"
        )
    else:
        click.echo(f"{detection.entry} trains nothing; `pushtrain detect` says what was read")


def _row(knob: Knob) -> tuple[str, ...]:
    place = f"{knob.file}:{knob.line}"
    return knob.name, _written(knob.value), _range(knob), place, knob.api


def _range(knob: Knob) -> str:
    if isinstance(knob.range, Interval):
        ends = f"{_written(knob.range.low)} to {_written(knob.range.high)}"
        return f"{ends}, log" if knob.range.log else ends
    return ", ".join(map(_written, knob.range.choices))


def _written(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
