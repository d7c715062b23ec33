"""Whoever is killed, paused or doubled: a run ends with one verdict and one mail."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from e2e.conftest import PUSHTRAIN, Cli
from pushtrain.engine.connection import Connection
from pushtrain.engine.docker_engine import DockerEngine
from pushtrain.interfaces import LABEL_RUN
from support.mailservers import Inbox

pytestmark = [pytest.mark.engine, pytest.mark.e2e, pytest.mark.timeout(900)]

SCRIPT = """\
import time
from sklearn.datasets import load_wine
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import train_test_split

x, x_test, y, y_test = train_test_split(*load_wine(return_X_y=True), random_state=0)
model = SGDClassifier(alpha=0.01, random_state=0)
for part in range(20):
    model.partial_fit(x, y, classes=[0, 1, 2])
    print("part", part, flush=True)
    time.sleep(0.1)
print(f"accuracy {model.score(x_test, y_test):.4f}")
"""
TRIALS = 4
WISHES = ("--metric", "accuracy", "--target", "1.0", "--trials", str(TRIALS))


def _until(condition: Callable[[], object], seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.1)


class Bench:
    """A run to be disturbed, and what became of it."""

    def __init__(self, cli: Cli, inbox: Inbox, source: Path) -> None:
        self.cli, self._inbox, self._source = cli, inbox, source

    @contextmanager
    def driver(self, *before: str) -> Iterator[subprocess.Popen[bytes]]:
        """Starts a run; `before` is what starts its process."""
        process = subprocess.Popen(
            (*before, PUSHTRAIN, "run", self._source, *WISHES),
            env=self.cli.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    @property
    def folder(self) -> Path:
        (folder,) = (path.parent for path in self.cli.home.glob("runs/*/journal"))
        return folder

    @property
    def events(self) -> list[dict[str, Any]]:
        found = list(self.cli.home.glob("runs/*/journal"))
        lines = found[0].read_text().splitlines() if found else []
        return [json.loads(line.partition(" ")[2])["data"] for line in lines]

    def count(self, event: str) -> int:
        return sum(one["event"] == event for one in self.events)

    def wait_for_trial(self, number: int) -> None:
        """Until a trial is in the middle of its training."""
        log = f"runs/*/trials/{number}/log.txt"
        _until(lambda: any("part 5" in path.read_text() for path in self.cli.home.glob(log)))

    def ends(self) -> None:
        """Waits for the end and holds it against that of a run that nobody disturbed."""
        _until(lambda: self.count("published"))
        _until(lambda: self.cli.lines("monitor", "--once") == [])
        assert [self.count(event) for event in ("judged", "published")] == [1, 1]
        ended = Counter(e["result"]["number"] for e in self.events if e["event"] == "trial_ended")
        assert ended == dict.fromkeys(range(TRIALS), 1)
        (verdict,) = (e["verdict"] for e in self.events if e["event"] == "judged")
        assert (verdict["state"], verdict["trials"]) == ("spent", TRIALS)
        assert len(self._inbox.mails()) == 1
        assert self.count("message_queued") == self.count("message_sent") == 1


@pytest.fixture
def bench(cli: Cli, inbox: Inbox, tmp_path: Path) -> Iterator[Bench]:
    source = tmp_path / "wine"
    source.mkdir()
    (source / "train.py").write_text(SCRIPT)
    yield Bench(cli, inbox, source)


@contextmanager
def monitor(cli: Cli) -> Iterator[subprocess.Popen[str]]:
    """A monitor that goes on until the block ends, when it is told to stop as systemd does."""
    process = subprocess.Popen(
        (PUSHTRAIN, "monitor", "--json"),
        env=cli.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
        process.terminate()
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()


def test_a_killed_driver_is_replaced(bench: Bench) -> None:
    with bench.driver() as driver:
        bench.wait_for_trial(1)
        driver.kill()
        driver.wait()
    assert json.loads(bench.cli("runs", "--json"))[0]["state"] == "abandoned"
    told = bench.cli.lines("monitor", "--once")
    assert [one["action"] for one in told] == ["remove", "resume"]
    assert bench.cli.lines("show", "last", "--follow", code=3)[-1]["state"] == "spent"
    assert bench.count("driver_lost") == 1
    bench.ends()


def test_a_monitor_that_goes_on_replaces_it_within_two_seconds(bench: Bench) -> None:
    with monitor(bench.cli), bench.driver() as driver:
        bench.wait_for_trial(1)
        driver.kill()
        began = time.monotonic()
        _until(lambda: bench.count("driver_lost"))
        assert time.monotonic() - began < 2.0
        bench.ends()


def test_two_monitors_replace_it_once(bench: Bench) -> None:
    with monitor(bench.cli) as one, monitor(bench.cli) as other, bench.driver() as driver:
        bench.wait_for_trial(1)
        driver.kill()
        bench.ends()
        one.terminate()
        other.terminate()
        said = one.communicate()[0] + other.communicate()[0]
    assert [json.loads(line)["action"] for line in said.splitlines()].count("resume") == 1
    assert bench.count("driver_lost") == 1


def test_a_driver_that_is_paused_past_its_lease_is_ended_and_replaced(bench: Bench) -> None:
    with monitor(bench.cli), bench.driver() as driver:
        bench.wait_for_trial(1)
        os.kill(driver.pid, signal.SIGSTOP)
        _until(lambda: bench.count("driver_lost"), 60)
        os.kill(driver.pid, signal.SIGCONT)
        assert driver.wait(10) == -signal.SIGKILL
        bench.ends()


def test_a_driver_out_of_reach_that_was_paused_wakes_up_and_stops(
    bench: Bench, connection: Connection
) -> None:
    """It has process numbers of its own, as in another container, so that nobody can end it."""
    apart = ("unshare", "--pid", "--fork", "--kill-child")
    with monitor(bench.cli), bench.driver(*apart) as outer:
        bench.wait_for_trial(1)
        (inner,) = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split()
        os.kill(int(inner), signal.SIGSTOP)
        _until(lambda: bench.count("driver_lost"), 60)
        _until(lambda: bench.count("trial_ended") > 1)
        before = [e["event"] for e in bench.events]
        os.kill(int(inner), signal.SIGCONT)
        assert outer.wait(60) == 1
        assert outer.stderr is not None
        assert b"no longer this process's to work on" in outer.stderr.read()
        assert [e["event"] for e in bench.events][: len(before)] == before
        bench.ends()
    held = DockerEngine(connection).find({LABEL_RUN: bench.folder.name})
    assert held == []


def test_a_driver_that_died_while_it_published_is_finished(bench: Bench) -> None:
    with bench.driver() as driver:
        _until(lambda: bench.count("judged"))
        driver.kill()
        driver.wait()
    assert bench.count("published") == 0
    *removed, resumed = bench.cli.lines("monitor", "--once")
    assert {one["action"] for one in removed} <= {"remove", "remove checkpoints"}
    assert (resumed["action"], resumed["why"]) == ("resume", "its verdict is not published")
    bench.ends()
    assert (bench.folder / "report/index.html").exists()


def test_a_run_that_was_stopped_goes_on_by_hand_and_by_nobody_else(
    bench: Bench, inbox: Inbox
) -> None:
    with bench.driver() as driver:
        bench.wait_for_trial(1)
        bench.cli("stop", "last")
        assert driver.wait(60) == 130
    assert bench.cli.lines("monitor", "--once") == []
    verdict = bench.cli.lines("resume", "last", code=3)[-1]
    assert (verdict["state"], verdict["trials"]) == ("spent", TRIALS)
    assert (bench.count("reopened"), bench.count("judged"), len(inbox.mails())) == (1, 2, 2)
    shutil.rmtree(bench.folder / "report")
    assert bench.cli.lines("resume", "last", code=3)[-1] == verdict  # and that is that
    assert (bench.count("judged"), len(inbox.mails())) == (2, 2)


def test_without_its_engine_a_run_waits_for_a_driver(bench: Bench, tmp_path: Path) -> None:
    with bench.driver() as driver:
        bench.wait_for_trial(0)
        driver.kill()
        driver.wait()
    away = Cli(bench.cli.home, {"DOCKER_HOST": f"unix://{tmp_path}/nothing.sock"})
    (told,) = away.lines("monitor", "--once", code=1)
    assert (told["action"], told["subject"]) == ("examine", "engine")
    assert "no Docker Engine answers" in told["error"]
    assert bench.count("driver_lost") == 0
    bench.cli.lines("monitor", "--once")
    bench.ends()
