"""`pushtrain jenkins remove`: a repository's job, gone."""

from __future__ import annotations

import sys
from functools import partial

import click

from pushtrain.ci.removal import Removal
from pushtrain.cli.jenkins.server import open_server
from pushtrain.cli.render import emit, json_option
from pushtrain.errors import UsageError


@click.command()
@click.argument("job", metavar="[JOB]", required=False)
@click.option("--all", "everything", is_flag=True, help="All that pushtrain made on the server.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def command(job: str | None, everything: bool, yes: bool, as_json: bool) -> None:
    """Remove JOB with its builds; with the last one the monitor and the folder go too.

    What trains is stopped first, as by the button in Jenkins: its run ends, and is kept.
    """
    if (job is None) is not everything:
        raise UsageError(
            "say which job, or --all", hint="`pushtrain jenkins status` lists what there is"
        )
    if not yes and not as_json and sys.stdin.isatty():
        click.confirm(f"Remove {job or 'all jobs'} with all builds?", abort=True)
    removal = Removal(open_server(), partial(click.echo, err=True))
    gone = removal.remove(job) if job else removal.remove_all()
    if as_json:
        emit({"removed": gone})
    else:
        click.echo(f"removed {', '.join(gone)}" if gone else "there was nothing to remove")
