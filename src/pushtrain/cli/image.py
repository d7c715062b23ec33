"""`pushtrain image`: which image trains a script or repository, and building it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from pushtrain.assembly import Assembly
from pushtrain.cli.render import emit, json_option
from pushtrain.detect import detect
from pushtrain.entities import Image, ImagePlan
from pushtrain.settings import load_repository
from pushtrain.telling.text import size


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--build", is_flag=True, help="Build it where it does not exist.")
@json_option
def command(path: Path, build: bool, as_json: bool) -> None:
    """Pick the training image for the script or repository at PATH, and say why.

    With --build it is built, unless it exists; nothing of PATH goes into it but the names of what
    it requires.
    """
    root = path if path.is_dir() else path.parent
    settings = load_repository(root)
    assembly = Assembly.from_environment()
    plan = assembly.plan_image(detect(path, settings.train), settings.image, root)
    image: Image | None = None
    if not as_json:
        _show(plan)
    if build:
        image = assembly.build_image(plan, lambda line: click.echo(line, err=as_json))
    if as_json:
        emit(
            {
                **asdict(plan),
                "id": image.id if image else None,
                "size": image.size if image else None,
            }
        )
    elif image:
        click.echo(f"{click.style('id      ', bold=True)} {image.id} ({size(image.size)})")


def _show(plan: ImagePlan) -> None:
    rows = [
        ("image", plan.tag),
        ("layers", " < ".join(plan.layers)),
        ("extra", ", ".join(plan.extra) or "nothing"),
        ("preload", ", ".join(plan.preload)),
    ]
    for name, value in rows:
        click.echo(f"{click.style(f'{name:8}', bold=True)} {value}")
    click.secho("because", bold=True)
    for reason in plan.reasons:
        click.secho(f"  {reason}", fg="yellow" if reason.startswith("warning") else None)
