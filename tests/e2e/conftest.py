"""The command line as users call it, with a home of its own."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pushtrain.engine.connection import Connection
from support.leftovers import clear
from support.mailservers import Inbox, mail_server

ROOT = Path(__file__).parents[2]
PUSHTRAIN = ROOT / ".venv/bin/pushtrain"


@dataclass(frozen=True)
class Cli:
    """`pushtrain`, with PUSHTRAIN_HOME in a place of the test's own."""

    home: Path
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> Mapping[str, str]:
        """What every process of the test gets."""
        own = {"PUSHTRAIN_HOME": str(self.home), "GIT_CONFIG_GLOBAL": os.devnull}
        return {**os.environ, **own, **self.more}

    def __call__(self, *arguments: object, code: int = 0) -> str:
        """What a command prints; fails unless it exits with `code`."""
        done = subprocess.run(
            [PUSHTRAIN, *map(str, arguments)],
            check=False,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=1500,
        )
        assert done.returncode == code, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def lines(self, *arguments: object, code: int = 0) -> list[dict[str, Any]]:
        """What a command prints with --json, line by line."""
        return [json.loads(line) for line in self(*arguments, "--json", code=code).splitlines()]

    def folder(self, run: str) -> Path:
        """A run's folder."""
        return self.home / "runs" / run


@pytest.fixture
def cli(tmp_path: Path, connection: Connection) -> Iterator[Cli]:
    """A command line without a past; nothing of its runs may be left on the engine."""
    made = Cli(tmp_path / "home")
    made.home.mkdir()
    yield made
    runs = made.home / "runs"
    for run in sorted(path.name for path in runs.iterdir()) if runs.exists() else ():
        left = connection.open().containers(all=True, filters={"label": f"pushtrain.run={run}"})
        clear(connection, run)
        assert not left, f"run {run} left containers: {left}"


@pytest.fixture
def inbox(cli: Cli) -> Iterator[Inbox]:
    """Where the operator's settings send verdicts: a real SMTP server."""
    made = Inbox()
    with mail_server(made) as port:
        (cli.home / "config.toml").write_text(
            f'[mail]\nhost = "127.0.0.1"\nport = {port}\nsecurity = "none"\n'
            'to = ["team@localhost"]\n'
        )
        yield made
