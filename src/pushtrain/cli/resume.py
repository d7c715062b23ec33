"""`pushtrain resume`: goes on with a run whose driver died, or that was stopped."""

from __future__ import annotations

import signal

import click

from pushtrain.assembly import Assembly
from pushtrain.cli.progress import progress_for
from pushtrain.cli.render import json_option
from pushtrain.cli.run import conclude, driven
from pushtrain.errors import UsageError
from pushtrain.run import Drive, reopen
from pushtrain.store import LiveRun


@click.command()
@click.argument("run", metavar="RUN", default="last")
@click.option("--finish", is_flag=True, help="Leave a run that has its verdict as it ended.")
@json_option
def command(run: str, finish: bool, as_json: bool) -> None:
    """Go on with RUN from where its journal stands, and end as `pushtrain run` does.

    Finished trials count as they are; the trial that was under way goes on from its checkpoint, or
    is trained again. A run that was stopped or superseded, whose engine was gone, or whose drivers
    died goes on, too, and gets another verdict; with --finish only what its verdict leads to is
    done, where that was not.
    """
    if finish:  # nobody's command: what ends it goes down with all else, and is no wish to stop
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    assembly = Assembly.from_environment()
    folder = assembly.store.open(run)
    with folder.driving() as lease, progress_for(as_json=as_json) as progress:
        if lease is None:
            raise UsageError(
                f"run {folder.id} is being worked on by another process",
                hint=f"`pushtrain show {folder.id} --follow` shows it",
            )
        live = LiveRun(folder, (progress.on_entry,), lease=lease)
        of = live.record.reproduces
        if of is not None:
            raise UsageError(
                f"run {folder.id} reproduces run {of}, and cannot go on",
                hint=f"`pushtrain reproduce {of}` starts again",
            )
        if finish:
            verdict = Drive(live, assembly, progress.on_line).to_verdict()
        else:
            reopen(live)
            verdict = driven(live, assembly, progress)
    conclude(verdict, folder, as_json=as_json)
