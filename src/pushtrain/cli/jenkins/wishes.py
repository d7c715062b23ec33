"""The options that say what Jenkins is to train, as `apply` and `diff` share them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from pushtrain.ci.definitions import Training

_OPTIONS = (
    click.option("--repo", "repository", metavar="URL", help="What Jenkins clones and trains."),
    click.option("--branch", default="main", show_default=True, help="The watched branch."),
    click.option("--name", default="", help="The job's name  [default: by repository and branch]"),
    click.option("--target", type=float, help="Default of the builds' TARGET."),
    click.option("--metric", default="", help="Default of the builds' METRIC."),
    click.option("--trials", type=click.IntRange(1), help="Default of the builds' TRIALS."),
    click.option("--time", default="", help="Default of the builds' TIME."),
    click.option("--credentials", default="", help="Id of Jenkins credentials that may clone."),
    click.option(
        "--own-jenkinsfile",
        "has_own_jenkinsfile",
        is_flag=True,
        help="Use the Jenkinsfile in the repository.",
    ),
    click.option("--github", is_flag=True, help="Pushes are told by a GitHub webhook."),
    click.option("--gitlab", is_flag=True, help="Pushes are told by a GitLab webhook."),
    click.option(
        "--webhook",
        default="",
        metavar="ID",
        help="Pushes are told by any webhook, its token in the Jenkins credentials ID.",
    ),
    click.option(
        "--mail",
        default="",
        metavar="ADDRESS",
        help="Who is mailed when a build ends before its verdict  [default: Jenkins' own]",
    ),
)


def training_options(function: Callable[..., None]) -> Callable[..., None]:
    """Adds the options to a command."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def training(repository: str | None, **wishes: Any) -> Training | None:
    """What the options say; None where no repository is given."""
    if not repository:
        return None
    for name in ("target", "trials"):
        wishes[name] = "" if wishes[name] is None else f"{wishes[name]:g}"
    return Training(repository, **wishes)
