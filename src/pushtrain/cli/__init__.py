"""The command line: the only part of pushtrain that prints and exits.

One module per command, imported when it is called: `cli/<name>.py` holds a click command named
`command` that parses, calls one library function, and renders.
"""

from __future__ import annotations

import gc
import importlib
import logging
import os
import signal
import sys
from collections.abc import Mapping
from types import FrameType
from typing import Any

import click

from pushtrain import __version__
from pushtrain.cli.render import fail
from pushtrain.stack import roomy

COMMANDS = {
    "run": "Train a repository until its target is met.",
    "detect": "Say what a script or repository trains, with evidence.",
    "knobs": "List the hyperparameters that can be tuned.",
    "image": "Pick the training image, and build it.",
    "runs": "List runs.",
    "show": "Show one run.",
    "logs": "Show what a trial printed.",
    "report": "Show where a run's report is, or write it anew.",
    "patch": "Print the winning change as a patch.",
    "stop": "Stop a run cleanly.",
    "resume": "Go on with a run whose driver died, or that was stopped.",
    "monitor": "Finish what anyone left: dead drivers, containers, messages.",
    "reproduce": "Retrain a run from its manifest and compare.",
    "init": "Write the Jenkinsfile that a repository carries itself.",
    "jenkins": "Let a Jenkins server train what is pushed.",
    "notify": "Deliver messages that still wait.",
    "doctor": "Check this machine and say what to mend.",
    "clean": "Remove old runs, images and leftovers.",
}


_NEW_OBJECTS = 100_000
"""How many objects more than before make the collector look: imports make many, and stay."""


class LazyGroup(click.Group):
    """Imports a command's module only when that command is called or its help is shown.

    Args:
        package: where the modules are: each holds a click command named `command`.
        summaries: each command's name, which is its module's, and what it does.
    """

    def __init__(self, package: str, summaries: Mapping[str, str], **options: Any) -> None:
        super().__init__(**options)
        self._package = package
        self._summaries = summaries

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the summaries."""
        return list(self._summaries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now; None where there is none."""
        if cmd_name not in self._summaries:
            return None
        module = importlib.import_module(f"{self._package}.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the summaries, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self._summaries.items()))


@click.group(
    cls=LazyGroup,
    package="pushtrain.cli",
    summaries=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="pushtrain")
@click.option("-v", "--verbose", count=True, help="Log more (-v info, -vv debug), to stderr.")
def _group(verbose: int) -> None:
    """Git push a training script; get back a model that meets its target.

    Start with `pushtrain doctor`, then `pushtrain run PATH`.

    \b
    Exit codes: 0 target met (or done), 1 failed, 2 usage or bad input,
    3 budget spent without meeting the target, 4 Docker or Jenkins unreachable,
    130 stopped or superseded.
    """
    level = {0: logging.WARNING, 1: logging.INFO}.get(verbose, logging.DEBUG)
    logging.basicConfig(
        level=level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )


@roomy
def main() -> None:
    """Runs the command line; every expected error becomes one message and its exit code."""
    gc.set_threshold(_NEW_OBJECTS)
    _catch_signals()
    try:
        # Without its standalone mode click gives back the exit code that a command ended with.
        code = _group(standalone_mode=False, prog_name="pushtrain")
    except (Exception, KeyboardInterrupt) as error:
        code = fail(error, as_json="--json" in sys.argv[1:])
    gc.freeze()  # or the interpreter looks for garbage in all that was imported before it ends
    sys.exit(code)


def _catch_signals() -> None:
    """SIGINT and SIGTERM stop cleanly; a second one is told to wait, the third one ends at once."""
    heard = 0

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal heard
        heard += 1
        if heard == 1:
            raise KeyboardInterrupt
        if heard > 2:
            os._exit(128 + number)
        os.write(2, b"pushtrain: stopping; once more leaves containers behind\n")

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
