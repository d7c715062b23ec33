"""`pushtrain reproduce`: trains again from a manifest and compares."""

from __future__ import annotations

from pathlib import Path

import click

from pushtrain.assembly import Assembly
from pushtrain.cli.progress import progress_for
from pushtrain.cli.render import emit, json_option
from pushtrain.manifest import Manifest, read_manifest
from pushtrain.reproduction import Comparison, reproduce
from pushtrain.store import LiveRun


@click.command()
@click.argument("run", metavar="RUN", default="last")
@json_option
def command(run: str, as_json: bool) -> None:
    """Train the best trial of RUN again, from its manifest alone.

    RUN is a run's id or the path of a manifest.json. Exit code 0 only if the metric comes out
    the same, to the last digit.
    """
    assembly = Assembly.from_environment()
    path = Path(run) if run.endswith(".json") else assembly.store.open(run).manifest
    manifest = read_manifest(path)
    with progress_for(as_json=as_json) as progress:
        live, comparison = reproduce(
            manifest, assembly.store, assembly, (progress.on_entry,), progress.on_line
        )
    _show(manifest, live, comparison, as_json=as_json)
    raise click.exceptions.Exit(0 if comparison.is_same else 1)


def _show(manifest: Manifest, live: LiveRun, comparison: Comparison, *, as_json: bool) -> None:
    metric, result = manifest.objective.metric, comparison.result
    if as_json:
        emit(
            {
                "event": "comparison",
                "run": live.id,
                "of": manifest.run,
                "reproduced": comparison.is_same,
                "metric": metric,
                "expected": comparison.expected,
                "value": result.value,
                "failure": result.failure.message if result.failure else None,
                "same_image": comparison.same_image,
                "same_files": comparison.same_files,
            }
        )
        return
    found = result.failure.message if result.failure else f"{metric} {result.value}"
    click.secho(
        f"{'the same' if comparison.is_same else 'NOT the same'}: {found}, in run {manifest.run} "
        f"{comparison.expected}",
        fg="green" if comparison.is_same else "red",
        bold=True,
    )
    for name, is_same in comparison.same_files.items():
        click.echo(f"  {name}: {'same content' if is_same else 'another content'}")
