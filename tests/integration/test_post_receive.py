"""The Git hook: pushes reach Jenkins, whatever state it is in, and `git push` never waits."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from pushtrain.ci.access import Access
from pushtrain.ci.delivery import Deliverer
from pushtrain.ci.real_jenkins import RealJenkins
from pushtrain.ci.spool import Spool
from support.jenkins_replay import NOTIFY_TOKEN, TOKEN, USER, Fault, Replay, Request, replay

HOOK = Path(__file__).parents[2] / "scripts" / "post-receive"
PUSHTRAIN = Path(sys.executable).with_name("pushtrain")
_JOB = re.compile(r"/job/pushtrain/job/([^/]+)/")


class Repository:
    """A bare repository with the hook, and a home of its own."""

    def __init__(self, place: Path, command: Path | str) -> None:
        self.path = place / "digits.git"
        self.home = place / "home"
        self.home.mkdir()
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "JENKINS_"))},
            "HOME": str(place),
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        self.git("init", "--quiet", "--bare", "--initial-branch=main", str(self.path), cwd=place)
        self.config("pushtrain.command", str(command))
        self.config("pushtrain.home", str(self.home))

    def git(self, *arguments: str, cwd: Path | None = None, text: str = "") -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=cwd or self.path,
            env=self._environment,
            input=text,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def config(self, name: str, value: str) -> None:
        self.git("config", "--add", name, value)

    def commits(self, number: int) -> list[str]:
        """New commits, one after the other."""
        stream = [
            f"commit refs/heads/source\nmark :{i}\ncommitter a <a@b> {i} +0000\ndata 1\n.\n\n"
            for i in range(1, number + 1)
        ]
        self.git("fast-import", "--quiet", "--export-marks=marks", text="".join(stream))
        lines = (self.path / "marks").read_text().split("\n")
        self.git("update-ref", "-d", "refs/heads/source")
        return [line.split()[1] for line in sorted(lines) if line]

    def push(self, refs: dict[str, str]) -> str:
        """Moves branches as a push does, and calls the hook; what it says."""
        self.git(
            "update-ref", "--stdin", text="".join(f"update {r} {c}\n" for r, c in refs.items())
        )
        lines = "".join(f"{'0' * 40} {commit} {ref}\n" for ref, commit in refs.items())
        done = subprocess.run(
            [HOOK],
            cwd=self.path,
            env={**self._environment, "GIT_DIR": "."},
            input=lines,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout + done.stderr

    def access(self, url: str, text: str) -> None:
        file = self.home / "jenkins.toml"
        file.write_text(f'url = "{url}"\n{text}')
        file.chmod(0o600)

    def waiting(self) -> list[str]:
        return sorted(p.commit for p in Spool(self.home / "jenkins" / "spool").waiting())


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path, PUSHTRAIN)


@pytest.fixture
def server() -> Iterator[Replay]:
    with replay() as recorded:
        recorded.alias = lambda path: _JOB.sub("/job/rec-par/", path)
        yield recorded


def _commits(server: Replay) -> list[str]:
    return [parse_qs(one.body)["COMMIT"][0] for one in server.taken if one.method == "POST"]


LOGIN = f'user = "{USER}"\ntoken = "{TOKEN}"\n'


def test_a_push_starts_a_build(repository: Repository, server: Replay) -> None:
    repository.access(server.url, LOGIN)
    repository.config("pushtrain.job", "pushtrain/digits")
    (commit,) = repository.commits(1)
    said = repository.push({"refs/heads/main": commit})
    _until(lambda: not repository.waiting())
    assert _commits(server) == [commit]
    assert "main" in said
    assert server.refused == []


def test_a_branch_without_a_job_and_a_tag_start_nothing(
    repository: Repository, server: Replay
) -> None:
    repository.access(server.url, LOGIN)
    repository.config("pushtrain.job", "pushtrain/digits")
    (commit,) = repository.commits(1)
    refs = ("refs/heads/other", "refs/heads/pushtrain/tuned/1", "refs/tags/v1")
    assert repository.push(dict.fromkeys(refs, commit)) == ""
    assert server.requests == []


def test_a_push_while_jenkins_is_away_waits_and_a_newer_one_takes_its_place(
    repository: Repository,
) -> None:
    repository.config("pushtrain.job", "pushtrain/digits")
    first, second = repository.commits(2)
    with replay() as server:
        pass  # its port is free again, and nobody listens there
    repository.access(server.url, LOGIN)
    assert "is delivered later" in repository.push({"refs/heads/main": first})
    repository.push({"refs/heads/main": second})
    assert repository.waiting() == [second]
    _until(lambda: "refused" in (repository.path / "pushtrain.log").read_text())


def test_a_slow_jenkins_does_not_make_a_push_wait(repository: Repository, server: Replay) -> None:
    repository.access(server.url, LOGIN)
    repository.config("pushtrain.job", "pushtrain/digits")
    server.fault = Fault.SLOW
    (commit,) = repository.commits(1)
    begun = time.monotonic()
    said = repository.push({"refs/heads/main": commit})
    assert "is delivered later" in said
    assert time.monotonic() - begun < 10  # two seconds of waiting, on a machine that is busy
    assert repository.waiting() == [commit]


def test_a_deleted_branch_waits_no_more(repository: Repository) -> None:
    repository.config("pushtrain.job", "pushtrain/digits")
    repository.config("pushtrain.command", "true")
    (commit,) = repository.commits(1)
    repository.push({"refs/heads/main": commit})
    assert repository.waiting() == [commit]
    repository.push({"refs/heads/main": "0" * 40})
    assert repository.waiting() == []


def test_a_push_that_cannot_be_kept_says_so(repository: Repository) -> None:
    repository.config("pushtrain.job", "pushtrain/digits")
    (repository.home / "jenkins").write_text("no directory")
    (commit,) = repository.commits(1)
    assert "cannot be kept" in repository.push({"refs/heads/main": commit})


def test_without_a_login_the_commit_is_told_and_200_is_no_delivery(
    repository: Repository, server: Replay
) -> None:
    repository.access(server.url, f'notify_token = "{NOTIFY_TOKEN}"\n')
    repository.config("pushtrain.job", "rec-scm")
    repository.config("pushtrain.url", "file:///srv/git/none.git")
    server.alias = lambda path: path.replace("&branches=main", "")
    (commit,) = repository.commits(1)
    assert "delivered later" in repository.push({"refs/heads/main": commit})
    _until(lambda: "does not listen" in (repository.path / "pushtrain.log").read_text())
    assert repository.waiting() == [commit]
    server.alias = lambda path: path.replace("&branches=main", "").replace("none.git", "rec.git")
    repository.push({"refs/heads/main": commit})
    _until(lambda: not repository.waiting())


def test_each_branch_goes_to_its_job_and_a_branch_may_have_two(
    repository: Repository, server: Replay
) -> None:
    repository.access(server.url, LOGIN)
    for job in ("pushtrain/digits", "main=pushtrain/strict", "dev=pushtrain/digits-dev"):
        repository.config("pushtrain.job", job)
    first, second = repository.commits(2)
    repository.push({"refs/heads/main": first, "refs/heads/dev": second})
    _until(lambda: not repository.waiting())
    built = Counter(
        (one.path.split("/")[4], parse_qs(one.body)["COMMIT"][0])
        for one in server.taken
        if one.method == "POST"
    )
    assert built == {("digits", first): 1, ("strict", first): 1, ("digits-dev", second): 1}


def _until(is_so: object) -> None:
    deadline = time.monotonic() + 60
    while not is_so():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.05)


BRANCHES = [f"b{number}" for number in range(20)]
PUSHES = 1000


@pytest.mark.parametrize("seed", [1])
def test_a_thousand_pushes_to_a_jenkins_that_comes_and_goes(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    repository = Repository(tmp_path, "true")  # the test delivers itself, without new processes
    for branch in BRANCHES:
        repository.config("pushtrain.job", f"{branch}=pushtrain/{branch}")
    commits = repository.commits(PUSHES)
    newest: dict[str, str] = {}
    is_over = threading.Event()
    state = Replay(alias=lambda path: _JOB.sub("/job/rec-par/", path))
    state.rewrite = lambda request, body: _with_builds(state, request, body)

    with ExitStack() as stack:
        server = stack.enter_context(replay(state=state))
        port = int(server.url.rsplit(":", 1)[1])
        access = Access(server.url, USER, TOKEN, seconds=0.25)
        spool = Spool(repository.home / "jenkins" / "spool")

        def deliver() -> None:
            while not is_over.is_set():
                Deliverer(RealJenkins(access), access, spool).flush()
                is_over.wait(0.05)

        deliverers = [threading.Thread(target=deliver) for _ in range(2)]
        for thread in deliverers:
            thread.start()
        try:
            while commits:
                _change(chance, state, stack, port)
                for _ in range(chance.randrange(1, 4)):
                    refs = {}
                    for branch in chance.sample(BRANCHES, min(8, len(commits))):
                        refs[f"refs/heads/{branch}"] = newest[branch] = commits.pop()
                    if refs:
                        repository.push(refs)
        finally:
            is_over.set()
            for thread in deliverers:
                thread.join()
        _change(chance, state, stack, port, is_up=True)
        Deliverer(RealJenkins(access), Access(server.url, USER, TOKEN), spool).flush()

    taken = Counter(_commits(state))
    assert spool.waiting() == ()
    assert {branch: taken[commit] for branch, commit in newest.items()} == dict.fromkeys(newest, 1)
    assert max(taken.values()) == 1
    assert state.refused == []


def _change(
    chance: random.Random, state: Replay, stack: ExitStack, port: int, *, is_up: bool = False
) -> None:
    """Brings the server into another state: up, slow, broken, getting ready, or restarting."""
    kinds = [None, None, Fault.SLOW, Fault.RESET, Fault.STARTING, "down", "restart"]
    kind = None if is_up else chance.choice(kinds)
    stack.close()
    state.let_go.clear()
    state.fault = kind if isinstance(kind, Fault) else None
    if kind == "restart":
        state.restart()
    if kind != "down":
        stack.enter_context(replay(port=port, state=state))


def _with_builds(state: Replay, request: Request, body: str) -> str:
    """The recorded list of builds, with those that have been asked for meanwhile."""
    job = _JOB.search(request.path)
    if request.method != "GET" or "tree=builds" not in request.path or job is None:
        return body
    answer = json.loads(body)
    asked = [one for one in state.taken if one.method == "POST" and job[0] in one.path]
    answer["builds"] = [
        {
            "number": number,
            "result": None,
            "actions": [
                {"parameters": [{"name": "COMMIT", "value": parse_qs(one.body)["COMMIT"][0]}]}
            ],
        }
        for number, one in enumerate(asked, 1)
    ]
    return json.dumps(answer)
