"""A process that outlives its starter, however Jenkins ends that."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from pushtrain.detached import detach
from support.jenkins_processes import kill_all, parent

STEP = {"JENKINS_SERVER_COOKIE": "durable-0123", "TEST_DETACHED": "yes"}
"""What every process of a Pipeline step carries."""
NODE = {"JENKINS_NODE_COOKIE": "4567", "TEST_DETACHED": "yes"}
"""What every process within a `node` block carries."""
AGENT = {"HUDSON_COOKIE": "89ab", "TEST_DETACHED": "yes"}
"""What every process carries below an agent that a command launched."""
BUILD = {"BUILD_ID": "7", "JOB_NAME": "monitor", "TEST_DETACHED": "yes"}
"""Among what every process of a freestyle build carries."""

_STARTER = """
import sys, time
from pathlib import Path
from pushtrain.detached import detach
detach(["sh", "-c", "echo $$; exec sleep 600"], Path(sys.argv[1]))
print("started", flush=True)
time.sleep(600)
"""


def _until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.02)


@dataclass(frozen=True)
class Pair:
    starter: subprocess.Popen[str]
    detached: int


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """A step's process, and the one that it started."""
    log = tmp_path / "log"
    starter = subprocess.Popen(
        (sys.executable, "-c", _STARTER, str(log)),
        env={**os.environ, **STEP, **NODE, **AGENT, **BUILD},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert starter.stdout is not None
    assert starter.stdout.readline() == "started\n"
    _until(lambda: log.read_text().endswith("\n"))
    made = Pair(starter, int(log.read_text()))
    yield made
    starter.kill()
    starter.wait()
    starter.stdout.close()
    with suppress(ProcessLookupError):
        os.kill(made.detached, signal.SIGKILL)


@pytest.mark.parametrize(
    "marks", [STEP, NODE, AGENT, BUILD], ids=["step", "node", "agent", "build"]
)
def test_what_jenkins_ends_is_the_starter_alone(marks: Mapping[str, str], pair: Pair) -> None:
    assert kill_all(marks) == [pair.starter.pid]
    assert pair.starter.wait(30) == -signal.SIGTERM
    assert parent(pair.detached)


def test_a_process_that_only_denies_the_marks_is_ended_too() -> None:
    """The killer of these tests is as thorough as the real one, which follows descendants."""
    child = "exec setsid env -i JENKINS_NODE_COOKIE=dontKillMe sleep 600"
    with subprocess.Popen(("sh", "-c", f"({child}) & wait"), env={**os.environ, **STEP}) as step:
        _until(lambda: len(_children(step.pid)) == 1)
        _until(lambda: _name(*_children(step.pid)) == "sleep")
        assert len(kill_all(STEP)) == 2


def _children(pid: int) -> list[int]:
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [one for one in pids if parent(one) == pid]


def _name(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def test_it_is_on_its_own(pair: Pair) -> None:
    assert parent(pair.detached) != pair.starter.pid
    assert os.getsid(pair.detached) == pair.detached
    assert Path(f"/proc/{pair.detached}/cwd").readlink() == Path("/")


def test_who_started_it_knows_whether_it_runs(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with detach(("sh", "-c", f"read line <'{fifo}'; echo heard $line"), tmp_path / "log") as other:
        assert other.is_running
        fifo.write_text("this\n")
        _until(lambda: not other.is_running)
    assert (tmp_path / "log").read_text() == "heard this\n"


def test_what_cannot_be_started_is_seen_to_have_ended(tmp_path: Path) -> None:
    with detach(("/nothing/of/this/name",), tmp_path / "log") as other:
        _until(lambda: not other.is_running)
    assert "/nothing/of/this/name" in (tmp_path / "log").read_text()
    with pytest.raises(FileNotFoundError):
        detach(("true",), tmp_path / "no" / "log")
