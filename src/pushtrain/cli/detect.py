"""`pushtrain detect`: what a script or repository trains, with evidence."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from pushtrain.cli.render import emit, json_option
from pushtrain.detect import detect
from pushtrain.entities import Detection
from pushtrain.settings import load_repository

_MOST_EVIDENCE = 12


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@json_option
def command(path: Path, as_json: bool) -> None:
    """Say what the script or repository at PATH trains, without running it.

    Exit code 2 when several scripts could be meant; the message names them.
    """
    settings = load_repository(path if path.is_dir() else path.parent).train
    detection = detect(path, settings)
    if as_json:
        evidence = [[item.file, item.line, item.what] for item in detection.evidence]
        emit({**asdict(detection), "evidence": evidence})
    else:
        _show(detection)


def _show(detection: Detection) -> None:
    kind = f"{detection.framework}, {detection.family}" if detection.trains else "nothing"
    if detection.backend:
        kind += f", on {detection.backend}"
    rows = [
        ("trains", kind),
        ("entry", f"{detection.entry} ({detection.reason})"),
        ("task", detection.task.value),
        ("needs", ", ".join(detection.distributions) or "nothing from PyPI"),
        ("data", ", ".join(detection.datasets) or "no known data set"),
        ("read by", detection.parsed.value),
    ]
    for name, value in rows:
        click.echo(f"{click.style(f'{name:8}', bold=True)} {value}")
    if detection.evidence:
        click.secho("because", bold=True)
    for item in detection.evidence[:_MOST_EVIDENCE]:
        click.echo(f"  {item.file}:{item.line}  {item.what}")
    if len(detection.evidence) > _MOST_EVIDENCE:
        click.echo(f"  and {len(detection.evidence) - _MOST_EVIDENCE} more (--json shows all)")
    for warning in detection.warnings:
        click.secho(f"warning  {warning}", fg="yellow")
