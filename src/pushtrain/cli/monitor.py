"""`pushtrain monitor`: finishes what anyone left."""

from __future__ import annotations

from collections.abc import Iterator

import click

from pushtrain.assembly import Assembly
from pushtrain.cli.render import emit, json_option
from pushtrain.monitor import Action, Monitor, What
from pushtrain.rescue import Rescue
from pushtrain.settings import home, load_operator


@click.command()
@click.option("--once", is_flag=True, help="One pass; exit with 0 when all is as it should be.")
@click.option(
    "--interval", type=click.FloatRange(1), default=30, show_default=True, help="Seconds."
)
@json_option
def command(once: bool, interval: float, as_json: bool) -> None:
    """Give every run without a driver a new one, remove what no run needs, deliver what waits.

    It may be killed at any time, and any number of them may run.

    Exit code: with --once 0 when everything that was to be done was done, and 1 otherwise;
    without it 0, when it is told to stop.
    """
    assembly = Assembly.from_environment()
    place = home()
    rescue = Rescue(assembly.store, assembly.tell, lambda: load_operator(place))
    monitor = Monitor(assembly.store, assembly.engine, rescue, lambda: _deliver(assembly))

    def tell(action: Action, error: str) -> None:
        if as_json:
            facts = {"action": action.what, "subject": action.subject, "why": action.why}
            emit({**facts, "error": error or None})
        else:
            failed = f"; FAILED: {error}" if error else ""
            click.echo(f"{action.what} {action.subject}: {action.why}{failed}")

    if once:
        raise click.exceptions.Exit(0 if monitor.once(tell) else 1)
    try:
        monitor.watch(assembly.engine_events, interval, tell)
    except KeyboardInterrupt:  # how a service manager ends it, too
        return


def _deliver(assembly: Assembly) -> Iterator[tuple[Action, str]]:
    for receipt in assembly.deliver_waiting():
        yield Action(What.DELIVER, receipt.run, receipt.channel), receipt.error
    for job, error in assembly.deliver_pushes():
        yield Action(What.DELIVER, job, "a push that waited for its build"), error
