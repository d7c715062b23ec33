"""What runs there are, and what a second look notices."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from pushtrain import lease
from pushtrain.entities import RunState
from pushtrain.errors import JournalError
from pushtrain.events import Published, Warned
from pushtrain.inventory import DAY, Inventory
from pushtrain.lease import Standing
from pushtrain.store import LiveRun, RunFolder, Store
from support import records
from support.paused import hurry, other, pause_myself, until


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")


def stored(store: Store, state: RunState = RunState.TRAINING) -> RunFolder:
    folder = store.create("x")
    for event in records.events(state=state):
        LiveRun(folder).append(event)
    return folder


def drive(folder: RunFolder) -> Any:
    def work(pipe: Any) -> None:
        with folder.driving() as held:
            pipe.send(held is not None)
            pipe.recv()

    return work


def elsewhere(folder: RunFolder, age: float) -> None:
    """Somebody of another machine drives it, and was heard so long ago."""
    folder.lease.mkdir(exist_ok=True)
    (folder.lease / "1").write_text("who knows\n1\n")
    moment = time.time() - age
    os.utime(folder.lease / "1", (moment, moment))


def test_all_runs_the_newest_first_with_who_drives_them(store: Store) -> None:
    first, second, third = stored(store), stored(store, RunState.MET), stored(store)
    LiveRun(second).append(Published())
    with first.driving():
        runs = Inventory(store).runs()
    assert [run.folder for run in runs] == [third, second, first]
    assert [run.standing for run in runs] == [Standing.NEVER, Standing.NEVER, Standing.HELD]
    assert [run.is_driven for run in runs] == [False, False, True]
    assert [run.is_settled for run in runs] == [False, True, False]
    assert [run.record for run in runs] == [third.record(), second.record(), first.record()]
    assert [run.folder for run in Inventory(store).runs(1)] == [third]


def test_what_cannot_be_read_says_why_and_hides_nothing(store: Store) -> None:
    good, damaged, fifo, dangling = (stored(store) for _ in range(4))
    loop = RunFolder("loop", store.home / "runs" / "loop")
    loop.path.symlink_to("loop")  # as unreadable as somebody else's folder, for root as well
    (store.home / "runs" / "a file").touch()
    damaged.journal.write_bytes(b"damaged\n")
    fifo.journal.unlink()
    os.mkfifo(fifo.journal)
    dangling.journal.unlink()
    dangling.journal.symlink_to("nowhere")
    runs = {run.folder: run for run in Inventory(store).runs()}
    assert len(runs) == 5
    assert runs[good].problem == ""
    for folder in (damaged, fifo, dangling, loop):
        assert runs[folder].record is None
        assert str(folder.path) in runs[folder].problem
    assert Inventory(store).never_begun(time.time() + 9 * DAY) == ()


def test_a_lease_that_cannot_be_read_counts_as_held(store: Store) -> None:
    folder = stored(store)
    folder.lease.mkdir()
    (folder.lease / "1").symlink_to("nowhere")
    for waits in (True, False):
        (run,) = Inventory(store).runs(waits=waits)
        assert run.is_driven
        assert "cannot be read" in run.problem


def test_a_second_look_reads_what_is_new(store: Store) -> None:
    folder, inventory = stored(store), Inventory(store)
    inventory.runs()
    LiveRun(folder).append(Warned("new"))
    (run,) = inventory.runs()
    assert run.record == folder.record()
    folder.journal.write_bytes(b"damaged\n")
    (run,) = inventory.runs()
    assert run.problem
    folder.journal.unlink()
    LiveRun(folder).append(Warned("mended"))
    (run,) = inventory.runs()
    assert run.record is not None and run.record.warnings == ("mended",)


def test_runs_that_cannot_be_listed_are_one_error(store: Store) -> None:
    store.home.mkdir()
    (store.home / "runs").write_text("a file")
    with pytest.raises(JournalError, match="cannot be read"):
        Inventory(store).runs()


def test_all_in_doubt_are_watched_together(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "WATCH", 0.4)
    for _ in range(5):
        elsewhere(stored(store), age=60.0)
    began = time.monotonic()
    assert {run.standing for run in Inventory(store).runs(waits=False)} == {Standing.DOUBTFUL}
    assert time.monotonic() - began < 0.4
    assert {run.standing for run in Inventory(store).runs()} == {Standing.SILENT}
    assert time.monotonic() - began < 5 * 0.4


def test_who_looks_again_need_not_wait(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)
    elsewhere(stored(store), age=60.0)
    inventory = Inventory(store)
    (run,) = inventory.runs(waits=False)
    assert run.is_driven
    until(inventory.has_news)
    (run,) = inventory.runs(waits=False)
    assert run.standing is Standing.SILENT


# --- news --------------------------------------------------------------------------------------


def test_a_run_that_begins_or_loses_its_driver_is_news(store: Store) -> None:
    folder, inventory = stored(store), Inventory(store)
    with other(drive(folder)) as driver:
        assert driver.hear()
        assert inventory.has_news()  # nobody has looked yet
        inventory.runs()
        assert not inventory.has_news()
        driver.kill()
        assert inventory.has_news()
    inventory.runs()
    assert not inventory.has_news()
    with folder.driving():
        assert inventory.has_news()
    assert inventory.has_news()  # it was driven, and is not any more
    inventory.runs()
    stored(store)
    assert inventory.has_news()


def test_a_run_that_is_over_is_no_news(store: Store) -> None:
    stored(store, RunState.MET)
    inventory = Inventory(store)
    inventory.runs()
    assert not inventory.has_news()


# --- runs that never began ---------------------------------------------------------------------


def test_what_a_dead_process_left_that_never_began_its_run_is_known_at_once(store: Store) -> None:
    stored(store)
    folder = store.create("it checks out")

    def begin(pipe: Any) -> None:
        with folder.driving():
            pipe.send("checking out")
            pause_myself()

    with other(begin) as process:
        process.hear()
        assert Inventory(store).never_begun(time.time() + 9 * DAY) == ()
        process.kill()
        assert Inventory(store).never_begun(time.time()) == (folder,)


def test_what_nobody_ever_held_is_known_by_its_age(store: Store) -> None:
    folder = store.create("its process died before it took the lease")
    made = folder.path.stat().st_mtime
    assert Inventory(store).never_begun(made + DAY - 1) == ()
    assert Inventory(store).never_begun(made + DAY + 1) == (folder,)
