"""`git push` to a bare repository with the hook: a run, a verdict, one mail."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.conftest import PUSHTRAIN, ROOT, Cli
from support.mailservers import Inbox

pytestmark = [pytest.mark.engine, pytest.mark.e2e, pytest.mark.timeout(1500)]


def _until(condition: Callable[[], bool], seconds: float = 900) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.2)


class _Clone:
    """A data scientist's clone of a bare repository with the hook."""

    def __init__(self, place: Path, cli: Cli) -> None:
        self._cli = cli
        self.bare, self.path = place / "team.git", place / "clone"
        self._git("init", "--quiet", "--bare", "--initial-branch", "main", self.bare)
        shutil.copy(ROOT / "scripts/post-receive", self.bare / "hooks/post-receive")
        self._git("-C", self.bare, "config", "pushtrain.command", PUSHTRAIN)
        self._git("clone", "--quiet", self.bare, self.path)
        self._git("-C", self.path, "checkout", "--quiet", "-B", "main")

    def push(self, message: str) -> str:
        """Commits all and pushes it; gives what the server said."""
        name = ("-c", "user.name=Someone", "-c", "user.email=someone@localhost")
        self._git("-C", self.path, "add", ".")
        self._git("-C", self.path, *name, "commit", "--quiet", "--message", message)
        return self._git("-C", self.path, "push", "origin", "main")

    def _git(self, *arguments: object) -> str:
        done = subprocess.run(
            ("git", *map(str, arguments)),
            env=self._cli.environment,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stderr


def _is_over(cli: Cli) -> bool:
    return not list(cli.home.glob("runs/*/journal")) or all(
        run["verdict"] for run in json.loads(cli("runs", "--json"))
    )


def test_a_push_is_trained_and_mailed_once(cli: Cli, inbox: Inbox, tmp_path: Path) -> None:
    clone = _Clone(tmp_path, cli)
    for file in (ROOT / "model/wine-mlp").iterdir():
        shutil.copy(file, clone.path)
    said = clone.push("Which grower?")
    assert "a run of main begins" in said
    _until(lambda: bool(list(cli.home.glob("runs/*/journal"))))
    assert cli.lines("show", "last", "--follow")[-1]["met"] is True
    (mail,) = inbox.mails()
    assert mail["To"] == "team@localhost"
    assert "met" in mail["Subject"].lower() and "team" in mail["Subject"]
    pictures = [part for part in mail.walk() if part.get_content_maintype() == "image"]
    assert pictures and all(part["Content-ID"] for part in pictures)


def test_a_newer_push_supersedes_the_older_one(cli: Cli, inbox: Inbox, tmp_path: Path) -> None:
    clone = _Clone(tmp_path, cli)
    for file in (ROOT / "model/wine-mlp").iterdir():
        shutil.copy(file, clone.path)
    settings = clone.path / "pushtrain.toml"
    settings.write_text("[objective]\ntarget = 1.0\n[budget]\ntrials = 500\n")
    clone.push("A target that takes long")
    _until(lambda: any("trial_started" in j.read_text() for j in cli.home.glob("runs/*/journal")))
    settings.write_text("[objective]\ntarget = 0.6\n")
    clone.push("A modest one")
    _until(lambda: len(json.loads(cli("runs", "--json"))) == 2 and _is_over(cli))
    newer, older = json.loads(cli("runs", "--json"))
    assert (newer["state"], older["state"]) == ("met", "superseded")
