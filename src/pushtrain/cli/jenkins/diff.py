"""`pushtrain jenkins diff`: what apply would change."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from pushtrain.ci.apply import look, wanted
from pushtrain.ci.plan import Action, Cause, Change
from pushtrain.cli.jenkins.server import open_server
from pushtrain.cli.jenkins.wishes import training, training_options
from pushtrain.cli.render import emit, json_option

_CAUSES = {
    Cause.BY_HAND: "changed by hand on the server",
    Cause.FOREIGN: "there is something of that name that pushtrain did not make",
    Cause.DEFINITION: "its definition has changed",
    Cause.MISSING: "missing",
    Cause.NONE: "as it should be",
}


@click.command()
@training_options
@json_option
def command(as_json: bool, **wishes: Any) -> None:
    """Show what `apply` with the same options would change; exit code 1 if anything."""
    changes = look(open_server(), wanted(training(**wishes)))
    if as_json:
        emit([facts(change) for change in changes])
    else:
        show(changes)
    is_different = any(change.action is not Action.KEEP for change in changes)
    raise click.exceptions.Exit(1 if is_different else 0)


def show(changes: Iterable[Change]) -> None:
    """Prints changes for people, each difference line by line."""
    for change in changes:
        one = change.definition
        colour = None if change.action is Action.KEEP else "yellow"
        action = click.style(f"{change.action:7}", fg=colour)
        click.echo(f"{action} {one.kind} {one.name}: {_CAUSES[change.cause]}")
        for line in change.difference:
            colour = {"+": "green", "-": "red"}.get(line[0])
            click.secho(f"        {line}", fg=colour)


def facts(change: Change) -> dict[str, object]:
    """A change for machines."""
    return {
        "name": change.definition.name,
        "kind": change.definition.kind,
        "action": change.action,
        "cause": change.cause,
        "difference": change.difference,
    }
