"""`pushtrain patch`: the winning change."""

from __future__ import annotations

import sys

import click

from pushtrain.assembly import Assembly
from pushtrain.cli.render import emit, json_option
from pushtrain.store import LiveRun


@click.command()
@click.argument("run", metavar="RUN", default="last")
@click.option("--commit", is_flag=True, help="Commit it to a branch pushtrain/tuned/<commit>.")
@json_option
def command(run: str, commit: bool, as_json: bool) -> None:
    """Print the change that made the best trial of RUN, as a patch that `git apply` takes.

    Empty when the code as pushed was best.

    \b
      pushtrain patch last | git apply
    """
    assembly = Assembly.from_environment()
    folder = assembly.store.open(run)
    content = assembly.publication.patch(folder, folder.record())
    branch = assembly.publication.commit(LiveRun(folder)) if commit else None
    if as_json:
        text = content.decode("utf-8", "replace")
        emit({"run": folder.id, "patch": text, "branch": branch})
    elif branch:
        click.echo(branch)
    else:
        sys.stdout.buffer.write(content)
