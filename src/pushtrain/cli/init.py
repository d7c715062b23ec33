"""`pushtrain init`: what a repository carries itself."""

from __future__ import annotations

from pathlib import Path

import click

from pushtrain.ci.definitions import jenkinsfile
from pushtrain.cli.render import emit, json_option
from pushtrain.errors import UsageError


@click.command()
@click.argument("path", type=click.Path(file_okay=False, exists=True, path_type=Path), default=".")
@click.option("--force", is_flag=True, help="Overwrite a Jenkinsfile that is there.")
@json_option
def command(path: Path, force: bool, as_json: bool) -> None:
    """Write the Jenkinsfile of a repository that is to carry its own pipeline.

    A repository needs none: `pushtrain jenkins apply` makes a job that carries it. With its own,
    the pipeline is changed by a commit, and the job is made with --own-jenkinsfile.
    """
    file, text = path / "Jenkinsfile", jenkinsfile()
    is_there = file.exists()
    if is_there and file.read_bytes() != text.encode() and not force:
        raise UsageError(
            f"there is another {file} already", hint="keep it, or overwrite it with --force"
        )
    file.write_text(text, "utf-8")
    if as_json:
        emit({"written": [file]})
    else:
        click.echo(
            f"{file}: commit it, then `pushtrain jenkins apply --repo URL --own-jenkinsfile`"
        )
