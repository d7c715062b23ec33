"""`pushtrain jenkins trigger`: a build, by its number."""

from __future__ import annotations

import click

from pushtrain.ci.following import EXIT_CODES, Follower
from pushtrain.ci.server import Build
from pushtrain.cli.jenkins.server import full_name, open_server
from pushtrain.cli.render import emit, json_option


@click.command()
@click.argument("job", metavar="JOB")
@click.option("--target", default="", help="The value to reach  [default: the job's]")
@click.option("--metric", default="", help="What the target is stated in  [default: the job's]")
@click.option("--trials", default="", help="Most trials  [default: the job's]")
@click.option("--time", default="", help="Most training time  [default: the job's]")
@click.option("--wait", is_flag=True, help="Follow log and result.")
@json_option
def command(job: str, wait: bool, as_json: bool, **wishes: str) -> None:
    """Start a build of JOB (a name in the folder pushtrain, or a full name); print its number.

    With --wait the exit code is the run's own: 0 met, 3 budget spent, 1 failed, 130 stopped.
    """
    server = open_server()
    name = full_name(job)
    parameters = {key.upper(): value for key, value in wishes.items() if value}
    follower = Follower(server, lambda line: click.echo(f"jenkins: {line}", err=True))
    started = follower.to_build(name, server.start(name, parameters))
    build = started.build
    if not as_json:
        merged = " (merged with a request that was waiting)" if started.is_merged else ""
        click.echo(f"{build.job} #{build.number}{merged}  {build.url}")
    if wait:
        write = (lambda _text: None) if as_json else (lambda text: click.echo(text, nl=False))
        build = follower.to_end(build, write)
    if as_json:
        emit({**_facts(build), "merged": started.is_merged})
    if build.result is not None and wait:
        raise click.exceptions.Exit(EXIT_CODES[build.result])


def _facts(build: Build) -> dict[str, object]:
    return {
        "job": build.job,
        "number": build.number,
        "url": build.url,
        "result": build.result,
        "seconds": build.seconds,
        "description": build.description,
    }
