"""The agent's side of the pipeline: its steps, taken from the Jenkinsfile, on the real engine.

Whatever is killed between and inside them, the build ends as its run does, and nothing is trained
twice.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from e2e.conftest import PUSHTRAIN, ROOT, Cli
from pushtrain.ci.definitions import jenkinsfile, shared
from pushtrain.engine.connection import Connection
from support.jenkins_build import Agent, Build, Result
from support.mailservers import Inbox, mail_server
from support.pipeline import Call, read_calls
from support.repositories import Repository

pytestmark = [pytest.mark.engine, pytest.mark.e2e, pytest.mark.timeout(900)]

JOB = "pushtrain/cancer"


def _until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 200
    while not condition():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Call:
    calls = read_calls(jenkinsfile(), tmp_path_factory.mktemp("groovy"))
    return next(call for call in calls if call.name == "pipeline")


@pytest.fixture
def inbox(cli: Cli) -> Iterator[Inbox]:
    made = Inbox()
    with mail_server(made) as port:
        (cli.home / "config.toml").write_text(
            f'[mail]\nhost = "127.0.0.1"\nport = {port}\nsecurity = "none"\n'
            'to = ["team@localhost"]\n'
        )
        yield made


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A forest on the cancer data whose trials take long enough to be killed in between."""
    script = (ROOT / "model/cancer-forest/classify.py").read_text()
    slow = script.replace("def main():\n", "def main():\n    time.sleep(1)\n")
    made = Repository(tmp_path, "cancer")
    settings = (ROOT / "model/cancer-forest/pushtrain.toml").read_text()
    made.pushed(
        {
            "classify.py": slow.replace("from sklearn", "import time\n\nfrom sklearn", 1),
            "pushtrain.toml": settings,
        }
    )
    return made


@pytest.fixture
def agent(cli: Cli, tmp_path: Path) -> Agent:
    root = tmp_path / "agent"
    root.mkdir()
    path = f"{PUSHTRAIN.parent}:{os.environ['PATH']}"
    mark = secrets.token_hex()
    return Agent(root, {**cli.environment, "PATH": path, "HUDSON_COOKIE": mark})


@pytest.fixture
def build(pipeline: Call, agent: Agent, repository: Repository) -> Callable[..., Build]:
    def make(number: int, **parameters: str) -> Build:
        return Build(pipeline, agent, JOB, number, repository.path, parameters)

    return make


def _journals(cli: Cli) -> list[list[dict[str, Any]]]:
    return [
        [json.loads(line.partition(" ")[2])["data"] for line in journal.read_text().splitlines()]
        for journal in cli.home.glob("runs/*/journal")
    ]


def _count(cli: Cli, event: str) -> int:
    return sum(one["event"] == event for events in _journals(cli) for one in events)


def _is_training(cli: Cli) -> bool:
    """Whether a run has begun a trial, and has no verdict."""
    kinds = [{one["event"] for one in events} for events in _journals(cli)]
    return any("trial_started" in events and "judged" not in events for events in kinds)


def _driver(cli: Cli) -> int:
    """The number of the process that drives a run of this test."""
    mark = f"PUSHTRAIN_HOME={cli.home}".encode()
    for place in Path("/proc").iterdir():
        try:
            words = (place / "cmdline").read_bytes().split(b"\0")
            if b"resume" in words and mark in (place / "environ").read_bytes().split(b"\0"):
                return int(place.name)
        except (OSError, ValueError):
            continue
    return 0


def _monitor(agent: Agent, number: int) -> str:
    """A build of the monitor job; what it said."""
    job = next(one for one in shared() if one.name.endswith("monitor"))
    command = ET.fromstring(job.configuration).findtext("builders/hudson.tasks.Shell/command")
    assert command
    code, said = agent.freestyle("pushtrain/monitor", number, command)
    assert code == 0, said
    return said


def test_a_build_with_mishaps_ends_as_one_without(
    build: Callable[..., Build], cli: Cli, agent: Agent, inbox: Inbox
) -> None:
    one = build(1)
    mishaps: list[str] = []

    def while_nobody_watches() -> None:
        """What happens before the step, or all stages, are started again."""
        if not mishaps:
            os.kill(_driver(cli), signal.SIGTERM)  # as whatever stops the machine does
            _until(lambda: "resume" in _monitor(agent, 1))
            _until(lambda: _driver(cli))
        mishaps.append("started again")

    one.on_retry = while_nobody_watches
    running = one.in_background()
    _until(lambda: _count(cli, "trial_ended") == 1)
    one.kill_step()  # then the driver, too; the monitor finds the run
    _until(lambda: mishaps and one.is_stepping)
    one.lose_agent()  # all stages are started again, and watch the same run
    assert running.result() is Result.SUCCESS, one.log
    assert len(mishaps) == 2
    assert _count(cli, "driver_lost") == 1
    (run,) = json.loads(cli("runs", "--json"))
    assert run["run"] == json.loads(cli("show", one.key, "--json"))["run"]
    (events,) = _journals(cli)
    ended = Counter(e["result"]["number"] for e in events if e["event"] == "trial_ended")
    assert ended == dict.fromkeys(range(3), 1)
    assert re.fullmatch(r"cancer@[0-9a-f]{7}: met", one.title)
    assert one.description == "accuracy 0.9006 (≥ 0.9), 3 trials"
    _check_archive(one, trials=3)
    (mail,) = inbox.mails()
    assert mail["Subject"].startswith("met: cancer@")
    assert one.mails == []


def _check_archive(build: Build, trials: int) -> None:
    kept = build.archive / "pushtrain-report"
    assert (kept / "report" / "index.html").is_file()
    assert len(list((kept / "logs").iterdir())) == trials
    assert {"junit.xml", "manifest.json", "winner.patch"} <= {one.name for one in kept.iterdir()}
    cases = ET.parse(kept / "junit.xml").getroot().findall(".//testcase")
    assert len(cases) == trials + 1


def test_who_stops_a_build_stops_its_run_and_a_newer_push_supersedes_it(
    build: Callable[..., Build],
    cli: Cli,
    agent: Agent,
    inbox: Inbox,
    connection: Connection,
) -> None:
    long = {"TARGET": "1.0", "TRIALS": "500"}
    ends = []
    for number, how in enumerate((Result.ABORTED, Result.NOT_BUILT), 1):
        one = build(number, **long)
        running = one.in_background()
        _until(lambda: _is_training(cli))
        one.interrupt(how)
        assert running.result() is how, one.log
        assert one.log == ""
        assert "goes on without this command" in (agent.root / "log").read_text()
        run = json.loads(cli("show", one.key, "--json"))
        containers = connection.open().containers(
            all=True, filters={"label": f"pushtrain.run={run['run']}"}
        )
        assert containers == []
        assert not _driver(cli)
        assert one.title.endswith(run["state"])
        assert one.description and (one.archive / "pushtrain-report/report/index.html").is_file()
        assert one.mails == []
        ends.append(run["state"])
    assert ends == ["stopped", "superseded"]
    assert [mail["Subject"].split(":")[0] for mail in inbox.mails()] == ends


def test_a_run_whose_build_was_lost_is_superseded_by_the_next_build_of_its_job(
    build: Callable[..., Build], cli: Cli, inbox: Inbox
) -> None:
    lost, newer = build(1, TARGET="1.0", TRIALS="500"), build(2, TARGET="1.0", TRIALS="1")
    lost.on_retry = lambda: lost.interrupt(Result.FAILURE)  # the controller gives up on it
    running = lost.in_background()
    _until(lambda: _is_training(cli))
    lost.kill_step()
    assert running.result() is Result.FAILURE
    assert _driver(cli), "nobody watches the run, and it goes on"

    assert newer.run() is Result.UNSTABLE, newer.log
    assert newer.title.endswith(": not met")
    assert [code for command, code in newer.commands if " show " in command] == [0, 0]
    _check_archive(newer, trials=1)
    _until(lambda: not _driver(cli))
    assert json.loads(cli("show", lost.key, "--json"))["state"] == "superseded"
    said = sorted(mail["Subject"].split(":")[0] for mail in inbox.mails())
    assert said == ["not met", "superseded"]


def test_what_breaks_before_a_verdict_is_mailed_by_jenkins(
    build: Callable[..., Build], cli: Cli, inbox: Inbox, repository: Repository
) -> None:
    repository.pushed({"classify.py": "print('nothing is trained here')\n"})
    one = build(1)
    assert one.run() is Result.FAILURE
    assert [subject.split(" ", 3)[-1] for subject in one.mails] == ["broke before its verdict"]
    assert inbox.mails() == []
