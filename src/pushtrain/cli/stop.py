"""`pushtrain stop`: ends a run cleanly."""

from __future__ import annotations

import time

import click

from pushtrain.cli.render import emit, json_option
from pushtrain.errors import PushtrainError
from pushtrain.run import request_stop
from pushtrain.settings import home
from pushtrain.store import Store

_LOOK = 0.2


@click.command()
@click.argument("run", metavar="RUN")
@click.option("--wait", type=click.FloatRange(0), default=60, show_default=True, help="Seconds.")
@json_option
def command(run: str, wait: float, as_json: bool) -> None:
    """Stop RUN: its containers end, what it has learnt and its best model so far are kept.

    Exit code 1 when its driver does not answer in time.
    """
    folder = Store(home()).open(run)
    asked = request_stop(folder, "stopped by hand")
    deadline = time.monotonic() + wait
    while asked and folder.is_driven and time.monotonic() < deadline:
        time.sleep(_LOOK)
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
