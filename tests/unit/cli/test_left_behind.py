"""`monitor` and `resume`, as people and machines call them."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fakes.workshop import FakeWorkshop
from pushtrain.entities import RunState
from pushtrain.errors import EngineUnreachable
from pushtrain.events import Judged, MessageQueued, Published, Reopened, RunStarted, StopRequested
from pushtrain.journal import Journal
from pushtrain.lease import Lease
from pushtrain.manifest import read_manifest
from pushtrain.notify import Receipt
from pushtrain.reproduction import reproduce
from pushtrain.run import Drive, Request, begin
from pushtrain.store import LiveRun, RunFolder
from support import records
from support.repositories import FOREST, Repository

Pushtrain = Callable[..., Any]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    made = Repository(tmp_path_factory.mktemp("git"))
    made.pushed({"train.py": FOREST})
    return made


def stored(workshop: FakeWorkshop, state: RunState, **changes: Any) -> RunFolder:
    folder = workshop.store.create("x")
    for event in records.events(state=state, **changes):
        LiveRun(folder).append(event)
    return folder


def kinds(folder: RunFolder) -> list[type[object]]:
    return [type(entry.event) for entry in Journal(folder.journal).read()]


# --- monitor -----------------------------------------------------------------------------------


def test_a_pass_with_nothing_to_do(pushtrain: Pushtrain, workshop: FakeWorkshop) -> None:
    folder = stored(workshop, RunState.MET)
    LiveRun(folder).append(Published())
    for options in ((), ("--json",)):
        said = pushtrain("monitor", "--once", *options)
        assert (said.code, said.out) == (0, "")


def test_what_cannot_be_done_is_told_and_is_exit_code_1(
    pushtrain: Pushtrain, workshop: FakeWorkshop
) -> None:
    folder = stored(workshop, RunState.MET)
    folder.journal.write_bytes(b"damaged\n")
    said = pushtrain("monitor", "--once")
    assert said.code == 1
    assert said.out.startswith(f"examine {folder.id}: {folder.journal} is damaged")
    assert "FAILED" in said.out
    said = pushtrain("monitor", "--once", "--json")
    assert said.code == 1
    assert (said.json["action"], said.json["subject"]) == ("examine", folder.id)
    assert "is damaged" in said.json["error"]


def test_an_engine_that_is_away_is_told(pushtrain: Pushtrain, workshop: FakeWorkshop) -> None:
    def away(*_: object) -> None:
        raise EngineUnreachable("no answer", hint="start it")

    workshop.engine.find = away  # type: ignore[method-assign,assignment]
    said = pushtrain("monitor", "--once", "--json")
    assert (said.code, said.json["subject"], said.json["error"]) == (
        1,
        "engine",
        "no answer; start it",
    )


@pytest.mark.parametrize("error", ["", "the server is away"])
def test_what_waits_is_delivered_and_told(
    pushtrain: Pushtrain, workshop: FakeWorkshop, error: str
) -> None:
    workshop.deliver_waiting = lambda: (Receipt("7f", "mail to ada", error),)  # type: ignore[method-assign]
    workshop.deliver_pushes = lambda: (("team/digits", error),)  # type: ignore[method-assign]
    said = pushtrain("monitor", "--once", "--json")
    assert said.code == (1 if error else 0)
    assert [(line["action"], line["subject"], line["error"]) for line in said.lines] == [
        ("deliver", "7f", error or None),
        ("deliver", "team/digits", error or None),
    ]


def test_a_service_manager_ends_a_monitor_without_an_error(home: Path) -> None:
    home.mkdir()
    folder = home / "runs" / "damaged"
    folder.mkdir(parents=True)
    (folder / "journal").write_text("damaged\n")
    with subprocess.Popen(
        [sys.executable, "-m", "pushtrain", "monitor", "--json"],
        env={**os.environ, "PUSHTRAIN_HOME": str(home), "DOCKER_HOST": f"unix://{home}/none"},
        stdout=subprocess.PIPE,
    ) as monitor:
        assert monitor.stdout is not None
        said = [monitor.stdout.readline() for _ in range(2)]  # each line as it happens
        assert b'"engine"' in said[0] and b'"damaged"' in said[1]
        monitor.send_signal(signal.SIGTERM)
        assert monitor.wait(60) == 0


# --- resume ------------------------------------------------------------------------------------


def stopped(workshop: FakeWorkshop, repository: Repository) -> RunFolder:
    """A run that was asked to stop before it began."""
    live = begin(Request(str(repository.path)), workshop.store, progress=lambda line: None)
    live.append(StopRequested("by hand"))
    return live.folder


def test_resume_goes_on_with_a_run_that_was_stopped(
    pushtrain: Pushtrain, workshop: FakeWorkshop, repository: Repository
) -> None:
    folder = stopped(workshop, repository)
    assert pushtrain("resume", folder.id, "--json").lines[-1]["state"] == "stopped"
    said = pushtrain("resume", folder.id)
    assert said.code == 0
    assert "the run goes on" in said.out
    assert "MET: " in said.out
    assert [k for k in kinds(folder) if k in (Judged, Published, Reopened)] == [
        *(Judged, Published, Reopened),
        *(Judged, Published),
    ]


def test_whoever_only_finishes_leaves_a_verdict_as_it_is(
    pushtrain: Pushtrain, workshop: FakeWorkshop, repository: Repository
) -> None:
    folder = stopped(workshop, repository)
    for published in ([folder.id], []):
        workshop.published.clear()
        said = pushtrain("resume", folder.id, "--finish", "--json")
        assert (said.code, said.lines[-1]["state"]) == (130, "stopped")
        assert workshop.published == published
    assert Reopened not in kinds(folder)


def test_a_driver_that_was_overtaken_says_so_and_is_exit_code_1(
    pushtrain: Pushtrain, workshop: FakeWorkshop, repository: Repository
) -> None:
    live = begin(Request(str(repository.path)), workshop.store, progress=lambda line: None)

    tokens = itertools.count(50, 10)

    def before_epoch(*_: object) -> None:
        Lease(live.folder.lease, next(tokens), "another").release()

    workshop.before_epoch = before_epoch
    said = pushtrain("resume", live.id)
    assert said.code == 1
    assert f"run {live.id} is no longer this process's to work on" in said.err
    assert "next: " in said.err
    assert live.refresh().verdict is None
    said = pushtrain("resume", live.id, "--json")
    assert said.lines[-1]["error"] == "LeaseLost"


# --- reproduce ---------------------------------------------------------------------------------


def reproduced(workshop: FakeWorkshop, repository: Repository) -> RunFolder:
    """A reproduction of a run that met its target."""
    live = begin(Request(str(repository.path)), workshop.store, progress=lambda line: None)
    workshop.publishes = True
    Drive(live, workshop, lambda line: None).to_verdict()
    workshop.publishes = False
    manifest = read_manifest(live.folder.manifest)
    again, comparison = reproduce(manifest, workshop.store, workshop, progress=lambda line: None)
    assert comparison.is_same
    return again.folder


def test_a_reproduction_is_a_run_that_nobody_goes_on_with(
    pushtrain: Pushtrain, workshop: FakeWorkshop, repository: Repository
) -> None:
    folder = reproduced(workshop, repository)
    entries = Journal(folder.journal).read()
    begun = entries[0].event
    assert isinstance(begun, RunStarted) and begun.reproduces
    assert [type(entry.event) for entry in entries[-2:]] == [Judged, Published]
    assert MessageQueued not in kinds(folder)
    assert not folder.is_driven
    said = pushtrain("resume", folder.id)
    assert said.code == 2
    assert f"`pushtrain reproduce {begun.reproduces}`" in said.err
    assert pushtrain("monitor", "--once").code == 0
