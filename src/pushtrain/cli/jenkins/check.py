"""`pushtrain jenkins check`: whether a server can train, and what to mend."""

from __future__ import annotations

import click

from pushtrain.ci.checkup import findings
from pushtrain.cli.jenkins.server import access, open_server
from pushtrain.cli.render import emit, json_option, show_finding
from pushtrain.findings import Health


@click.command()
@json_option
def command(as_json: bool) -> None:
    """Look at the server: version, rights, plugins, agents and their engines, tokens, clocks.

    Exit code 4 when it cannot be reached, 2 when it does not let us look, 1 on a problem, 0 on
    warnings alone.
    """
    way = access()
    found = []
    for finding in findings(open_server(way), way.notify_token):
        found.append(finding)
        if not as_json:
            show_finding(finding, width=18)
    if as_json:
        emit(found)
    is_bad = any(finding.health is Health.PROBLEM for finding in found)
    raise click.exceptions.Exit(1 if is_bad else 0)
