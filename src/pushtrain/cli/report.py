"""`pushtrain report`: the page of a run."""

from __future__ import annotations

import click

from pushtrain.assembly import Assembly
from pushtrain.cli.render import emit, json_option


@click.command()
@click.argument("run", metavar="RUN", default="last")
@click.option("--open", "in_browser", is_flag=True, help="Open it in the browser.")
@json_option
def command(run: str, in_browser: bool, as_json: bool) -> None:
    """Write the report of RUN as it stands now, and print where it is."""
    assembly = Assembly.from_environment()
    folder = assembly.store.open(run)
    page = assembly.publication.write_report(folder, folder.record())
    if as_json:
        emit({"run": folder.id, "report": page, "junit": folder.junit, "manifest": folder.manifest})
    else:
        click.echo(page)
    if in_browser:
        click.launch(page.as_uri())
