"""`pushtrain resume`: goes on with a run whose driver died."""

from __future__ import annotations

import click

from pushtrain.assembly import Assembly
from pushtrain.cli.progress import progress_for
from pushtrain.cli.render import json_option
from pushtrain.cli.run import conclude
from pushtrain.errors import UsageError
from pushtrain.run import Drive
from pushtrain.store import LiveRun


@click.command()
@click.argument("run", metavar="RUN", default="last")
@json_option
def command(run: str, as_json: bool) -> None:
    """Go on with RUN from where its journal stands, and end as `pushtrain run` does.

    Finished trials count as they are; the trial that was under way is trained again.
    """
    assembly = Assembly.from_environment()
    folder = assembly.store.open(run)
    with folder.driving() as is_free, progress_for(as_json=as_json) as progress:
        if not is_free:
            raise UsageError(
                f"run {folder.id} is being worked on by another process",
                hint=f"`pushtrain show {folder.id} --follow` shows it",
            )
        live = LiveRun(folder, (progress.on_entry,))
        verdict = Drive(live, assembly, progress.on_line).to_verdict()
    conclude(verdict, folder, as_json=as_json)
