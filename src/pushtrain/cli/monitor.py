"""`pushtrain monitor`: finishes what anyone left."""

from __future__ import annotations

import time

import click

from pushtrain.assembly import Assembly
from pushtrain.cli.render import emit, json_option
from pushtrain.monitor import Action, Monitor


@click.command()
@click.option("--once", is_flag=True, help="One pass; exit with 0 when all is as it should be.")
@click.option(
    "--interval", type=click.FloatRange(1), default=30, show_default=True, help="Seconds."
)
@json_option
def command(once: bool, interval: float, as_json: bool) -> None:
    """Give every run without a driver a new one, remove what no run needs, deliver what waits.

    It may be killed at any time, and any number of them may run.
    """
    assembly = Assembly.from_environment()

    def deliver() -> None:
        assembly.deliver_waiting()
        assembly.deliver_pushes()

    monitor = Monitor(assembly.store, assembly.engine, assembly.publish, deliver)

    def tell(action: Action, error: str) -> None:
        if as_json:
            facts = {"action": action.what, "subject": action.subject, "why": action.why}
            emit({**facts, "error": error or None})
        else:
            failed = f"; FAILED: {error}" if error else ""
            click.echo(f"{action.what} {action.subject}: {action.why}{failed}")

    while True:
        went_well = monitor.once(tell)
        if once:
            raise click.exceptions.Exit(0 if went_well else 1)
        time.sleep(interval)
