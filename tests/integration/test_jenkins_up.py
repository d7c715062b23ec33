"""A Jenkins of one's own is brought up by one command, and gets its jobs when it answers."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

UP = Path(__file__).parents[2] / "scripts" / "jenkins-up"
_DOCKER = """#!/bin/sh
echo "docker $*" >>"$SAID"
"""
_PUSHTRAIN = """#!/bin/sh
echo "pushtrain $* for $JENKINS_USER_ID at $JENKINS_URL" >>"$SAID"
case "$2" in
  diff) [ "$(grep -c diff "$SAID")" -gt 2 ] || exit 4; exit 1 ;;
  *) exit "${APPLIED:-0}" ;;
esac
"""


@pytest.fixture
def machine(tmp_path: Path) -> dict[str, str]:
    """An environment whose `docker` and `pushtrain` only write down what they are asked for."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in (("docker", _DOCKER), ("pushtrain", _PUSHTRAIN)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PUSHTRAIN": str(programs / "pushtrain"),
        "SAID": str(tmp_path / "said"),
        "SECRETS": str(tmp_path / "secrets"),
        "AGENT_IMAGE": "an-agent",
        "JENKINS_PORT": "8089",
        "PAUSE": "0",
    }


def _up(machine: dict[str, str], *arguments: str) -> tuple[int, list[str], str]:
    done = subprocess.run(
        [UP, *arguments], env=machine, capture_output=True, text=True, check=False
    )
    said = Path(machine["SAID"]).read_text().splitlines()
    return done.returncode, [line for line in said if line.startswith("pushtrain")], done.stdout


def test_the_jobs_are_applied_when_the_server_answers(machine: dict[str, str]) -> None:
    code, asked, said = _up(machine, "--repo", "https://example.org/digits.git")
    assert code == 0
    who = "for admin at http://localhost:8089"
    apply = f"pushtrain jenkins apply --yes --repo https://example.org/digits.git {who}"
    assert asked == [f"pushtrain jenkins diff {who}"] * 3 + [apply]
    assert "http://localhost:8089/ as admin" in said
    assert "compose -f jenkins/compose.yaml up" in Path(machine["SAID"]).read_text()
    password = Path(machine["SECRETS"]) / "admin-password"
    assert len(password.read_text().strip()) == 24
    assert password.stat().st_mode & 0o002 == 0


def test_a_second_time_keeps_the_password(machine: dict[str, str]) -> None:
    _up(machine)
    before = (Path(machine["SECRETS"]) / "admin-password").read_text()
    assert _up(machine)[0] == 0
    assert (Path(machine["SECRETS"]) / "admin-password").read_text() == before


def test_what_cannot_be_applied_is_no_success(machine: dict[str, str]) -> None:
    code, _, said = _up({**machine, "APPLIED": "2"})
    assert code == 2
    assert "next:" not in said
