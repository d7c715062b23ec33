"""`pushtrain jenkins apply`: a repository's job as it should be."""

from __future__ import annotations

import sys
from typing import Any

import click

from pushtrain.ci.apply import carry_out, check_name, look, missing_credentials, wanted
from pushtrain.ci.plan import Action, Cause
from pushtrain.cli.jenkins.diff import facts, show
from pushtrain.cli.jenkins.server import access, open_server
from pushtrain.cli.jenkins.wishes import training, training_options
from pushtrain.cli.render import emit, json_option
from pushtrain.settings import home


@click.command()
@training_options
@click.option("--yes", is_flag=True, help="Do not ask before hand-made changes are overwritten.")
@click.option(
    "--build/--no-build",
    default=True,
    show_default=True,
    help="Start the first build of a new job: before it has ended, Jenkins knows the repository "
    "from triggers with a login only.",
)
@json_option
def command(yes: bool, build: bool, as_json: bool, **wishes: Any) -> None:
    """Make or update the folder pushtrain, the job of a repository, the monitor, and the view.

    What is as it should be is not touched; every difference is shown before it is made. What was
    changed by hand is overwritten (on a terminal after a question) and kept in PUSHTRAIN_HOME.
    Without --repo only what all repositories share is made.

    \b
      pushtrain jenkins apply --repo https://example.org/team/digits.git --target 0.97
      pushtrain jenkins apply --repo git@example.org:team/wine.git --credentials deploy-key
    """
    way = access()
    server = open_server(way)
    wish = training(**wishes)
    changes = look(server, wanted(wish))
    missing: tuple[str, ...] = ()
    if wish is not None:
        check_name(wish, changes)
        missing = missing_credentials(server, wish)
    if not as_json:
        show(changes)
        by_hand = [c for c in changes if c.cause in {Cause.BY_HAND, Cause.FOREIGN}]
        if by_hand and not yes and sys.stdin.isatty():
            click.confirm("Overwrite what was changed by hand?", abort=True)
    carry_out(server, changes, home() / "jenkins" / "replaced")
    is_new = wish is not None and any(
        change.definition.name == wish.job and change.action is Action.CREATE for change in changes
    )
    first = server.start(wish.job, {"COMMIT": ""}) if wish and is_new and build else None
    url = f"{way.url}/job/{wish.job.replace('/', '/job/')}/" if wish else None
    for name in missing:
        click.secho(
            f"warning: the server has no credentials {name} for all jobs; add them under Manage "
            "Jenkins, Credentials",
            err=True,
            fg="yellow",
        )
    if as_json:
        said = {"url": url, "first_build": bool(first), "missing_credentials": missing}
        emit({"changes": [facts(c) for c in changes], **said})
    elif url:
        click.echo(f"{url}{'  (its first build is in the queue)' if first else ''}")
