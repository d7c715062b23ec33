"""`pushtrain stop`: ends a run cleanly."""

from __future__ import annotations

import time
from contextlib import nullcontext

import click

from pushtrain.assembly import Assembly
from pushtrain.cli.render import emit, json_option
from pushtrain.errors import PushtrainError
from pushtrain.run import request_stop
from pushtrain.store import RunFolder

_LOOK = 0.2


@click.command()
@click.argument("run", metavar="RUN")
@click.option("--superseded", is_flag=True, help="A newer push takes its place, and it says so.")
@click.option("--wait", type=click.FloatRange(0), default=60, show_default=True, help="Seconds.")
@json_option
def command(run: str, superseded: bool, wait: float, as_json: bool) -> None:
    """Stop RUN: its containers end, what it has learnt and its best model so far are kept.

    A run whose driver died is ended, too. Exit code 1 when it has not ended in time.
    """
    assembly = Assembly.from_environment()
    folder = assembly.store.open(run)
    reason = "superseded by a newer push" if superseded else "stopped by hand"
    asked = request_stop(folder, reason, "" if superseded else None)
    if asked:
        _wait(folder, assembly, time.monotonic() + wait)
    record = folder.record()
    if asked and record.verdict is None:
        raise PushtrainError(
            f"run {folder.id} has been asked to stop, and has not ended yet",
            hint="`pushtrain runs` shows whether it is abandoned; `pushtrain monitor` or `resume` "
            "ends such a run",
            run=folder.id,
        )
    if as_json:
        emit({"run": folder.id, "state": record.state, "stopped": asked})
    else:
        click.echo(f"run {folder.id}: {record.state}{'' if asked else ' already'}")


def _wait(folder: RunFolder, assembly: Assembly, deadline: float) -> None:
    """Until nobody works on the run any more; who heeds a request is a driver."""
    with nullcontext() if folder.is_driven else assembly.start_driver(folder) as driver:
        while folder.is_driven or (driver is not None and driver.is_running):
            if time.monotonic() > deadline:
                return
            time.sleep(_LOOK)
