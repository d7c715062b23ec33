"""`pushtrain clean`: removes old runs, images and leftovers, after showing them."""

from __future__ import annotations

import sys
import time

import click

from pushtrain.assembly import Assembly
from pushtrain.cleaning import Cleaning, execute, plan, stored_images
from pushtrain.cli.render import ago, emit, json_option
from pushtrain.entities import ImagePlan
from pushtrain.errors import PushtrainError
from pushtrain.interfaces import LABEL_RUN
from pushtrain.inventory import Inventory
from pushtrain.telling.text import size


@click.command()
@click.option("--yes", is_flag=True, help="Remove without asking.")
@json_option
def command(yes: bool, as_json: bool) -> None:
    """Remove old runs, images that no run needs, and containers that nobody works on.

    What stays is set by [keep] in config.toml of PUSHTRAIN_HOME: by default the newest 20 runs of
    each repository, and everything of the last 30 days. Shows first what it would remove, and
    removes nothing without --yes or an answer.
    """
    assembly = Assembly.from_environment()
    now = time.time()
    inventory = Inventory(assembly.store)
    # What is there is looked at before who works on it: so none of it is a later driver's.
    containers = assembly.engine.find({LABEL_RUN: ""})
    volumes = assembly.engine.volumes({LABEL_RUN: ""})
    cleaning = plan(
        inventory.runs(),
        containers,
        stored_images(assembly.image_store),
        assembly.operator.keep,
        now,
        volumes=volumes,
        never_begun=inventory.never_begun(now),
        layers_of=lambda plan: _layers(assembly, plan),
    )
    if not as_json:
        _show(cleaning)
    is_meant = yes or (
        not cleaning.is_empty
        and not as_json
        and sys.stdin.isatty()
        and click.confirm("Remove all of this?")
    )
    problems = execute(cleaning, assembly.engine, assembly.image_store) if is_meant else ()
    assembly.store.forget_keys()
    if as_json:
        emit({"removed": is_meant, "problems": problems, **_facts(cleaning)})
        return
    for problem in problems:
        click.secho(f"not removed: {problem}", fg="yellow")
    if not cleaning.is_empty:
        click.echo("removed" if is_meant else "nothing removed; --yes removes it")


def _layers(assembly: Assembly, plan: ImagePlan) -> list[str]:
    """The image of a plan, and those below it as far as today's catalog still has them."""
    try:
        return [plan.tag, *(recipe.tag for recipe in assembly.planner.recipes(plan))]
    except (PushtrainError, KeyError):
        return [plan.tag]


def _show(cleaning: Cleaning) -> None:
    if cleaning.is_empty:
        click.echo("nothing to remove")
    for folder in cleaning.runs:
        click.echo(f"run        {folder.id}  {folder.path}")
    for container in cleaning.containers:
        click.echo(f"container  {container.name}  of run {container.labels[LABEL_RUN]}")
    for volume in cleaning.volumes:
        click.echo(f"volume     {volume.name}  of run {volume.labels[LABEL_RUN]}")
    for image in cleaning.images:
        made = ago(image.created)
        click.echo(f"image      {image.tag or image.id[:19]}  {size(image.size)}, made {made}")


def _facts(cleaning: Cleaning) -> dict[str, object]:
    return {
        "runs": [folder.id for folder in cleaning.runs],
        "containers": [container.name for container in cleaning.containers],
        "volumes": [volume.name for volume in cleaning.volumes],
        "images": [image.tag or image.id for image in cleaning.images],
    }
