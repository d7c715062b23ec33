"""`pushtrain jenkins flush`: pushes that wait, delivered."""

from __future__ import annotations

import click

from pushtrain.ci.delivery import Deliverer, failures
from pushtrain.ci.spool import Spool
from pushtrain.cli.jenkins.server import access, open_server
from pushtrain.cli.render import emit, json_option
from pushtrain.settings import home


@click.command()
@json_option
def command(as_json: bool) -> None:
    """Deliver the pushes that scripts/post-receive kept while Jenkins could not take them.

    Of each branch the newest is delivered, once. Exit code 4 when Jenkins does not answer, 1 or 2
    when it refuses; what is not delivered goes on waiting.
    """
    way = access()
    spool = Spool(home() / "jenkins" / "spool")
    deliveries = Deliverer(open_server(way), way, spool).flush()
    if as_json:
        emit(
            {
                "delivered": [one.push for one in deliveries if one.error is None],
                "waiting": spool.waiting(),
                "errors": [error.as_json() for error in failures(deliveries)],
            }
        )
    else:
        for one in deliveries:
            what = f"{one.push.job}: {one.push.branch} at {one.push.commit[:12]}"
            click.echo(f"waits     {what}: {one.error}" if one.error else f"delivered {what}")
    raise click.exceptions.Exit(max((error.exit_code for error in failures(deliveries)), default=0))
