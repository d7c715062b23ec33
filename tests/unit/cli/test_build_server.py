"""What a build server's steps use: one run by its key, a clone of a push, results to archive."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from fakes.workshop import FakeWorkshop
from pushtrain.assembly import Assembly
from pushtrain.cli import following
from pushtrain.entities import RunState, Wishes
from pushtrain.errors import PublicationError
from pushtrain.events import RunStarted
from pushtrain.run import Request, begin
from pushtrain.store import LiveRun, RunFolder
from support.repositories import FOREST, Repository

Pushtrain = Callable[..., Any]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path)
    made.pushed({"train.py": FOREST})
    return made


def test_a_step_that_is_started_again_goes_on_with_its_run(
    pushtrain: Pushtrain, workshop: FakeWorkshop, repository: Repository
) -> None:
    first = pushtrain("run", repository.path, "--key", "jenkins-x-7", "--json")
    again = pushtrain("run", repository.path, "--key", "jenkins-x-7", "--json")
    other = pushtrain("run", repository.path, "--key", "jenkins-x-8", "--json")
    runs = [said.lines[-1]["run"] for said in (first, again, other)]
    assert runs[0] == runs[1] != runs[2]
    assert [said.code for said in (first, again)] == [0, 0]
    assert pushtrain("show", "jenkins-x-7", "--json").json["run"] == runs[0]


def test_a_run_that_its_driver_left_is_taken_up_by_its_key(
    pushtrain: Pushtrain, workshop: FakeWorkshop, repository: Repository
) -> None:
    live = begin(Request(str(repository.path)), workshop.store, progress=lambda line: None)
    workshop.store.give_key(live.folder, "k")
    verdict = pushtrain("run", repository.path, "--key", "k", "--json").lines[-1]
    assert (verdict["run"], verdict["met"]) == (live.id, True)
    assert sum(isinstance(e.event, RunStarted) for e in _entries(live)) == 1


def _entries(live: LiveRun) -> list[Any]:
    seen: list[Any] = []
    LiveRun(live.folder, (lambda entry, record: seen.append(entry),), replay=True)
    return seen


class Dying(FakeWorkshop):
    """A workshop whose first drivers die before they do anything."""

    deaths = 0

    def _drive(self, folder: RunFolder) -> None:
        if self.deaths:
            self.deaths -= 1
        else:
            super()._drive(folder)


class Unpublished(FakeWorkshop):
    """A workshop whose drivers die when they publish."""

    def publish(self, live: LiveRun) -> None:
        raise SystemExit

    def _drive(self, folder: RunFolder) -> None:
        with suppress(SystemExit):
            super()._drive(folder)


def _dying(home: Path, monkeypatch: pytest.MonkeyPatch, deaths: int) -> Dying:
    made = Dying(home)
    made.deaths = deaths
    _use(made, monkeypatch)
    return made


def _use(workshop: FakeWorkshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Assembly, "from_environment", lambda: workshop)
    monkeypatch.setattr(following, "_LOOK", 0.005)


def test_a_driver_that_dies_is_replaced_and_counted(
    pushtrain: Pushtrain, home: Path, monkeypatch: pytest.MonkeyPatch, repository: Repository
) -> None:
    workshop = _dying(home, monkeypatch, 2)
    said = pushtrain("run", repository.path, "--key", "k", "--json")
    assert (said.code, said.lines[-1]["met"]) == (0, True)
    assert [line["times"] for line in said.lines if line["event"] == "driver_lost"] == [1, 2]
    assert [line["event"] for line in said.lines].count("run_started") == 1
    assert workshop.published == [said.lines[-1]["run"]]


def test_drivers_that_keep_dying_are_told_of(
    pushtrain: Pushtrain, home: Path, monkeypatch: pytest.MonkeyPatch, repository: Repository
) -> None:
    workshop = _dying(home, monkeypatch, 99)
    said = pushtrain("run", repository.path, "--key", "k")
    assert said.code == 1
    assert "drivers keep dying" in said.err and "driver.log" in said.err
    assert workshop.store.open("k").record().verdict is None  # a monitor may still go on with it


def test_a_verdict_stands_though_its_publication_keeps_failing(
    pushtrain: Pushtrain, home: Path, monkeypatch: pytest.MonkeyPatch, repository: Repository
) -> None:
    workshop = Unpublished(home)
    _use(workshop, monkeypatch)
    said = pushtrain("run", repository.path, "--key", "k", "--json")
    assert (said.code, said.lines[-1]["met"]) == (0, True)
    record = workshop.store.open("k").record()
    assert (record.is_published, record.drivers_lost) == (False, 3)
    assert workshop.trained == sorted(record.trials)


def test_a_verdict_that_cannot_be_published_now_stands_and_says_so(
    pushtrain: Pushtrain, home: Path, monkeypatch: pytest.MonkeyPatch, repository: Repository
) -> None:
    workshop = FakeWorkshop(home)
    _use(workshop, monkeypatch)

    def failing(live: LiveRun) -> None:
        raise PublicationError(f"run {live.id} is not published: no space left")

    monkeypatch.setattr(workshop, "publish", failing)
    said = pushtrain("run", repository.path, "--json")
    assert (said.code, said.lines[-1]["met"]) == (0, True)
    assert "is not published: no space left" in said.err
    finishing = pushtrain("resume", "last", "--finish")
    assert finishing.code == 1
    assert "is not published: no space left" in finishing.err
    again = pushtrain("resume", "last")
    assert again.code == 0
    assert not workshop.store.open("last").record().is_published


def test_exit_zero_is_about_the_verdict_being_there_not_about_what_it_is(
    pushtrain: Pushtrain, workshop: FakeWorkshop, repository: Repository
) -> None:
    impossible = ("--target", "5", "--trials", "1", "--metric", "score")
    assert pushtrain("run", repository.path, *impossible).code == 3
    assert pushtrain("run", repository.path, *impossible, "--exit-zero").code == 0
    assert pushtrain("run", repository.path / "nothing", "--exit-zero").code == 2


def test_a_build_servers_clone_stands_for_what_was_pushed(
    pushtrain: Pushtrain, workshop: FakeWorkshop, repository: Repository
) -> None:
    head = repository.git("rev-parse", "HEAD", cwd=repository.clone).strip()
    repository.git("checkout", "--quiet", "--detach", cwd=repository.clone)
    (repository.clone / "leftover.txt").write_text("of an earlier build\n")
    run = pushtrain("run", repository.clone, "--pushed", "--json").lines[-1]["run"]
    push = workshop.store.open(run).record().push
    assert push is not None
    assert (push.repository, push.commit, push.branch) == (str(repository.path), head, "main")
    assert not push.is_own_directory
    assert not (workshop.store.open(run).source / "leftover.txt").exists()


def test_a_commit_of_several_branches_is_of_none_for_certain(
    pushtrain: Pushtrain, workshop: FakeWorkshop, repository: Repository
) -> None:
    repository.push("HEAD:refs/heads/dev")
    repository.git("checkout", "--quiet", "--detach", cwd=repository.clone)
    run = pushtrain("run", repository.clone, "--pushed", "--json").lines[-1]["run"]
    push = workshop.store.open(run).record().push
    assert push is not None and push.branch is None


def test_a_newer_build_of_a_job_supersedes_the_run_of_the_older_one(
    pushtrain: Pushtrain, workshop: FakeWorkshop, repository: Repository
) -> None:
    pushed = ("run", repository.clone, "--pushed", "--lane")
    older = begin(
        Request(str(repository.clone), is_pushed=True, wishes=Wishes(lane="pushtrain/digits")),
        workshop.store,
        progress=lambda line: None,
    )
    assert pushtrain(*pushed, "pushtrain/strict").code == 0
    assert older.refresh().stop is None
    newer = pushtrain(*pushed, "pushtrain/digits", "--json").lines[-1]["run"]
    stop = older.refresh().stop
    assert stop is not None and stop.superseded_by == newer


def test_pushed_needs_a_clone(pushtrain: Pushtrain, workshop: FakeWorkshop, tmp_path: Path) -> None:
    lonely = tmp_path / "lonely"
    subprocess.run(("git", "init", "--quiet", lonely), check=True)
    (lonely / "train.py").write_text(FOREST)
    for command in (
        ("add", "."),
        ("-c", "user.name=x", "-c", "user.email=x@y", "commit", "-qm", "x"),
    ):
        subprocess.run(("git", "-C", lonely, *command), check=True)
    said = pushtrain("run", lonely, "--pushed")
    assert said.code == 2
    assert "no remote named origin" in said.err
    assert workshop.store.folders() == ()


def test_a_report_is_exported_for_archiving(
    pushtrain: Pushtrain, workshop: FakeWorkshop, repository: Repository, tmp_path: Path
) -> None:
    workshop.publishes = True
    run = pushtrain("run", repository.path, "--key", "k", "--json").lines[-1]
    target = tmp_path / "deep" / "pushtrain-report"
    for _ in range(2):
        assert pushtrain("report", "k", "--to", target).code == 0
        found = {path.name for path in target.iterdir()}
        files = {"junit.xml", "manifest.json", "winner.patch", "title.txt", "summary.txt"}
        assert found == {"report", "logs", *files}
    assert (target / "report/index.html").exists()
    assert len(list((target / "logs").iterdir())) == run["trials"]
    assert ET.parse(target / "junit.xml").getroot().get("failures") == "0"
    commit = workshop.store.open("k").record().push
    assert commit is not None
    assert (target / "title.txt").read_text() == f"forest@{commit.short[:7]}: met\n"
    assert str(run["trials"]) in (target / "summary.txt").read_text()


def test_a_run_without_a_verdict_can_be_exported_too(
    pushtrain: Pushtrain, workshop: FakeWorkshop, repository: Repository, tmp_path: Path
) -> None:
    live = begin(Request(str(repository.path)), workshop.store, progress=lambda line: None)
    assert live.record.state is RunState.STARTED
    out = tmp_path / "out"
    out.mkdir()
    for name in ("manifest.json", "winner.patch"):
        (out / name).write_text("of the run before")
    assert pushtrain("report", live.id, "--to", out).code == 0
    assert "running" in (out / "title.txt").read_text()
    assert not (out / "manifest.json").exists() and not (out / "winner.patch").exists()
