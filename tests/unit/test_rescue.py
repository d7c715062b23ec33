"""What is done to a run whose driver is gone: by one process, and only as long as it is due."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pushtrain import drivers
from pushtrain.detached import Detached, detach
from pushtrain.entities import RunState
from pushtrain.errors import DeliveryError, JournalError, PushtrainError, SettingsError
from pushtrain.events import DriverLost, Event, Judged, Published, RunStarted, Warned
from pushtrain.journal import Journal
from pushtrain.processes import Process
from pushtrain.record import RunRecord
from pushtrain.rescue import Rescue
from pushtrain.store import LiveRun, RunFolder, Store
from support import records
from support.paused import other, until

IS_DUE: Callable[[RunRecord], bool] = lambda record: True  # noqa: E731
NOT_DUE: Callable[[RunRecord], bool] = lambda record: False  # noqa: E731


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def rescue(store: Store, told: list[str]) -> Rescue:
    return Rescue(store, lambda live: told.append(live.id))


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands of the drivers that were started: real processes, which do nothing."""
    commands: list[list[str]] = []
    program = "import os; print('environment:', *sorted(os.environ), flush=True)"

    def start(command: tuple[str, ...], log: Path) -> Detached:
        commands.append(list(command))
        return detach((sys.executable, "-c", program), log)

    monkeypatch.setattr(drivers, "detach", start)
    return commands


def stored(store: Store, *more: Event, state: RunState = RunState.TRAINING) -> RunFolder:
    folder = store.create("x")
    for event in (*records.events(state=state), *more):
        LiveRun(folder).append(event)
    return folder


def events(folder: RunFolder) -> list[Event]:
    return [entry.event for entry in Journal(folder.journal).read()]


def command(folder: RunFolder) -> list[str]:
    return [sys.executable, "-P", "-m", "pushtrain", "resume", folder.id, "--finish"]


def test_a_new_driver_is_noted_before_it_is_started(
    store: Store, rescue: Rescue, started: list[list[str]]
) -> None:
    folder = stored(store, DriverLost(1))

    def drive(pipe: Any) -> None:
        with folder.driving():
            pipe.send(Process.this())
            pipe.recv()

    with other(drive) as driver:
        before = driver.hear()
    assert rescue.resume(folder.id, IS_DUE)
    assert events(folder)[-1] == DriverLost(2, before)
    assert started == [command(folder)]
    assert not folder.is_driven  # the lease is free for it


def test_a_driver_outlives_the_build_that_started_it(
    store: Store, rescue: Rescue, started: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Jenkins kills what carries all of the build's marks."""
    marks = {"BUILD_ID", "JENKINS_NODE_COOKIE", "JENKINS_SERVER_COOKIE", "HUDSON_COOKIE"}
    for name in (*marks, "BUILD_TAG"):
        monkeypatch.setenv(name, "7")
    folder = stored(store)
    rescue.resume(folder.id, IS_DUE)
    log = folder.path / "driver.log"
    until(lambda: log.read_text().endswith("\n"))
    names = set(log.read_text().split())
    assert not marks & names
    assert {"BUILD_TAG", "PATH"} <= names


def test_what_is_driven_or_no_longer_due_is_left_alone(
    store: Store, rescue: Rescue, started: list[list[str]]
) -> None:
    folder = stored(store)
    before = events(folder)
    for act in (rescue.resume, rescue.give_up):
        assert not act(folder.id, NOT_DUE)
        with folder.driving():
            assert not act(folder.id, IS_DUE)
    assert events(folder) == before
    assert started == []


def test_a_run_whose_drivers_keep_dying_is_judged_and_somebody_else_publishes_it(
    store: Store, rescue: Rescue, started: list[list[str]], told: list[str]
) -> None:
    folder = stored(store, DriverLost(5))
    assert rescue.give_up(folder.id, IS_DUE)
    verdict = folder.record().verdict
    assert verdict is not None
    assert (verdict.state, verdict.exit_code) == (RunState.FAILED, 1)
    assert "died 6 times in a row" in verdict.reason
    assert "driver.log" in verdict.reason
    assert verdict.goes_on
    assert started == [command(folder)]
    assert told == []  # the driver does


def test_where_drivers_die_of_publishing_people_are_told_all_the_same(
    store: Store, rescue: Rescue, started: list[list[str]], told: list[str]
) -> None:
    folder = stored(store, DriverLost(5), state=RunState.MET)
    assert rescue.give_up(folder.id, IS_DUE)
    *_, warned, published = events(folder)
    assert isinstance(warned, Warned) and "given up" in warned.message
    assert published == Published()
    assert told == [folder.id]
    assert started == []


@pytest.mark.parametrize("error", [DeliveryError("no file"), OSError("disk"), ValueError("oh")])
def test_a_publication_that_is_given_up_ends_though_nobody_can_be_told(
    store: Store, error: Exception
) -> None:
    def failing(live: LiveRun) -> None:
        raise error

    folder = stored(store, DriverLost(5), state=RunState.MET)
    assert Rescue(store, failing).give_up(folder.id, IS_DUE)
    *_, warned, published = events(folder)
    assert warned == Warned(f"people are not told: {error}")
    assert published == Published()


def test_a_reproduction_is_judged_and_nobody_is_told(
    store: Store, rescue: Rescue, started: list[list[str]], told: list[str]
) -> None:
    folder = store.create("x")
    LiveRun(folder).append(RunStarted(records.PUSH, "sha256:d", "1", reproduces="7f"))
    assert rescue.give_up(folder.id, IS_DUE)
    assert [type(event) for event in events(folder)] == [RunStarted, Judged, Published]
    assert (started, told) == ([], [])


def test_what_never_began_is_removed(store: Store, rescue: Rescue) -> None:
    folder, begun = store.create("x"), stored(store)
    (folder.path / "source").mkdir()
    assert rescue.discard(folder.id)
    assert not folder.path.exists()
    assert not rescue.discard(begun.id)  # it has begun meanwhile
    assert begun.journal.exists()
    with store.create("x").driving() as lease:
        assert lease is not None
    busy = store.create("y")
    with busy.driving():
        assert not rescue.discard(busy.id)
    assert busy.path.exists()


def test_a_damaged_run_is_an_error(store: Store, rescue: Rescue, started: list[list[str]]) -> None:
    folder = stored(store)
    folder.journal.write_bytes(b"damaged\n")
    for act in (rescue.resume, rescue.give_up):
        with pytest.raises(JournalError, match="damaged"):
            act(folder.id, IS_DUE)
        assert not folder.is_driven
    assert started == []


def test_a_driver_that_cannot_be_started_is_told(store: Store) -> None:
    folder = stored(store)
    folder.driver_log.mkdir()
    with pytest.raises(PushtrainError, match=r"a driver cannot be started.*driver\.log"):
        drivers.start_driver(folder)


def test_where_every_driver_would_end_at_once_none_is_started_nor_counted(
    store: Store, started: list[list[str]]
) -> None:
    def check() -> None:
        raise SettingsError("config.toml cannot be read")

    folder = stored(store)
    with pytest.raises(SettingsError, match=r"config\.toml"):
        Rescue(store, lambda live: None, check).resume(folder.id, IS_DUE)
    assert started == []
    assert not any(isinstance(event, DriverLost) for event in events(folder))
