"""`pushtrain report`: the page of a run."""

from __future__ import annotations

from pathlib import Path

import click

from pushtrain.assembly import Assembly
from pushtrain.cli.render import emit, json_option
from pushtrain.export import export


@click.command()
@click.argument("run", metavar="RUN", default="last")
@click.option("--open", "in_browser", is_flag=True, help="Open it in the browser.")
@click.option(
    "--to",
    "target",
    type=click.Path(path_type=Path, file_okay=False),
    help="Copy everything a build server keeps there: report, JUnit, manifest, patch, logs.",
)
@json_option
def command(run: str, in_browser: bool, target: Path | None, as_json: bool) -> None:
    """Write the report of RUN as it stands now, and print where it is."""
    assembly = Assembly.from_environment()
    folder = assembly.store.open(run)
    page = assembly.publication.write_report(folder, folder.record())
    if target is not None:
        page = export(folder, target)
    if as_json:
        emit({"run": folder.id, "report": page, "junit": folder.junit, "manifest": folder.manifest})
    else:
        click.echo(page)
    if in_browser:
        click.launch(page.as_uri())
