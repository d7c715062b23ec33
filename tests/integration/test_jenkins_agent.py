"""The image of an agent that trains: what a pipeline's steps need is in it, and works there."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TAG = f"pushtrain/jenkins-agent:test-{os.getpid()}"

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def agent() -> Iterator[str]:
    """The image's tag; what it stands on stays for whoever needs it next."""
    subprocess.run(
        [ROOT / "scripts" / "jenkins-agent-image"], env={**os.environ, "TAG": TAG}, check=True
    )
    yield TAG
    subprocess.run(["docker", "image", "rm", "--force", TAG], check=True, capture_output=True)


def _inside(image: str, command: str, *options: str, text: str = "") -> str:
    run = ("docker", "run", "--rm", "--interactive", "--label", f"pushtrain.run=test-{os.getpid()}")
    done = subprocess.run(
        [*run, *options, image, "sh", "-c", command],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def socket() -> tuple[str, ...]:
    """The options that give a container the engine's socket, as compose.yaml does."""
    group = Path("/var/run/docker.sock").stat().st_gid
    return ("--volume", "/var/run/docker.sock:/var/run/docker.sock", "--group-add", str(group))


def test_it_has_what_the_steps_need(agent: str) -> None:
    said = _inside(
        agent, "java -version 2>&1; git --version; docker --version; pushtrain --version"
    )
    for program in ("openjdk", "git version", "Docker version", "pushtrain"):
        assert program in said


def test_it_is_not_root_and_can_write_where_it_keeps_things(agent: str) -> None:
    said = _inside(agent, 'id -u; touch "$PUSHTRAIN_HOME/a" "$HOME/b"; echo written')
    assert said.split() == ["1000", "written"]


def test_it_reads_code_and_picks_its_image(agent: str, socket: tuple[str, ...]) -> None:
    script = next((ROOT / "model" / "cancer-forest").glob("*.py"))
    command = "mkdir /tmp/code && cat >/tmp/code/train.py && pushtrain detect /tmp/code --json"
    said = _inside(agent, command, text=script.read_text("utf-8"))
    assert json.loads(said)["framework"] == "sklearn"


def test_its_engine_answers(agent: str, socket: tuple[str, ...]) -> None:
    assert _inside(agent, "docker version --format '{{.Server.Version}}'", *socket).strip()
    said = _inside(agent, "pushtrain doctor --json || true", *socket)
    engine = next(one for one in json.loads(said) if one["subject"] == "engine")
    assert engine["health"] == "ok"


_DETACHING = """
import time
from pathlib import Path
from pushtrain.detached import detach

log = Path("/tmp/log")
with detach(("sh", "-c", "echo $$; exec sleep 60"), log) as other:
    while not log.read_text().endswith("\\n"):
        time.sleep(0.05)
    status = Path("/proc", log.read_text().strip(), "status")
    while "PPid:\\t1\\n" not in status.read_text():
        time.sleep(0.05)
    print("adopted", other.is_running)
"""


def test_what_a_step_starts_there_outlives_it(agent: str) -> None:
    """A driver has the container's init for its parent."""
    python = "PYTHONPATH=/opt/pushtrain timeout 60 /usr/bin/python3 -P -"
    assert _inside(agent, python, "--init", text=_DETACHING) == "adopted True\n"
