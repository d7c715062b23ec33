"""The runs of a machine: found by their ids, driven by one process at a time."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pushtrain.errors import JournalError, UsageError
from pushtrain.events import Entry, Event, Warned
from pushtrain.record import RunRecord
from pushtrain.store import LiveRun, RunFolder, Store
from support import records

_fork = multiprocessing.get_context("fork")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")


def stored(store: Store, run: str, *events: Event) -> RunFolder:
    """A run with an id of our choice; the newest so far."""
    made = store.create("x")
    folder = RunFolder(run, made.path.rename(made.path.with_name(run)))
    for event in events or records.events():
        LiveRun(folder).append(event)
    return folder


# --- finding runs ------------------------------------------------------------------------------


def test_a_new_run_has_a_folder_that_is_nobody_elses_business(store: Store) -> None:
    folder = store.create("repository")
    assert folder.path.parent == store.home / "runs"
    assert folder.path.stat().st_mode & 0o777 == 0o700
    assert len(folder.id) == 8
    assert int(folder.id, 16) >= 0


def test_ids_differ_also_for_the_same_request_at_once(store: Store) -> None:
    folders: list[RunFolder] = []

    def work() -> None:
        folders.extend(store.create("same") for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({folder.id for folder in folders}) == 80


def test_a_request_may_be_named_as_files_are(store: Store) -> None:
    assert store.create("caf\udce9").path.is_dir()


def test_the_newest_comes_first_however_fast_they_follow(store: Store) -> None:
    folders = [store.create("x") for _ in range(30)]
    for folder in reversed(folders):
        LiveRun(folder).append(Warned("x"))
    assert store.folders() == tuple(reversed(folders))


def test_only_runs_that_began_are_listed(store: Store) -> None:
    store.create("still being checked out")
    assert store.folders() == ()
    assert Store(store.home / "elsewhere").folders() == ()


def test_what_a_run_left_that_never_began_is_told_apart(store: Store) -> None:
    folder = store.create("its process was killed while it checked out")
    stored(store, "aa")
    assert store.without_journal() == ((folder, folder.path.stat().st_mtime),)


def test_a_run_whose_moment_was_not_noted_is_listed_all_the_same(store: Store) -> None:
    older, newer = stored(store, "aa"), stored(store, "bb")
    older.created.unlink()
    os.utime(older.path, (1.0, 1.0))
    assert store.folders() == (newer, older)


def test_a_home_that_cannot_be_listed_is_one_clear_error(store: Store) -> None:
    store.home.mkdir()
    (store.home / "runs").write_text("a file")
    with pytest.raises(JournalError, match="cannot be read"):
        store.folders()
    with pytest.raises(JournalError, match="cannot be made") as caught:
        store.create("x")
    assert "PUSHTRAIN_HOME" in caught.value.hint


def test_a_run_is_found_by_the_beginning_of_its_id(store: Store) -> None:
    one, other = stored(store, "7f3c0000"), stored(store, "7faa0000")
    assert store.open("7f3") == one
    assert store.open("7faa0000") == other
    assert store.open("last") == other


@pytest.mark.parametrize("prefix", ["0", "", "7f3c00001", "../runs/7f3c0000", "*", "LAST"])
def test_an_unknown_run_is_a_usage_error(store: Store, prefix: str) -> None:
    stored(store, "7f3c0000")
    with pytest.raises(UsageError, match="there is no run") as caught:
        store.open(prefix)
    assert "pushtrain runs" in caught.value.hint


def test_there_is_no_last_run_before_the_first(store: Store) -> None:
    with pytest.raises(UsageError, match="no run last"):
        store.open("last")


def test_an_ambiguous_prefix_names_the_runs(store: Store) -> None:
    stored(store, "7f3c0000")
    stored(store, "7faa0000")
    with pytest.raises(UsageError, match="7f could be any of 7faa0000, 7f3c0000"):
        store.open("7f")


def test_every_file_lies_in_the_runs_folder(store: Store) -> None:
    folder = store.create("x")
    for name in ("journal", "source", "trials", "model", "patch", "manifest", "junit", "report"):
        assert folder.path in getattr(folder, name).parents


# --- who drives --------------------------------------------------------------------------------


def elsewhere(work: Callable[[Any], None]) -> tuple[Any, Any]:
    """Runs `work` in another process, with one end of a pipe; gives process and other end."""
    mine, its = _fork.Pipe()
    process = _fork.Process(target=work, args=(its,))
    process.start()
    its.close()
    return process, mine


def test_one_process_drives(store: Store) -> None:
    folder = store.create("x")
    assert not folder.is_driven
    with folder.driving() as first, folder.driving() as second:
        assert first is not None
        assert second is None
        assert folder.is_driven
    assert not folder.is_driven


def test_who_did_not_get_the_lease_does_not_end_it(store: Store) -> None:
    folder = store.create("x")
    with folder.driving():
        with folder.driving():
            pass
        assert folder.is_driven


def test_the_lease_falls_with_its_process(store: Store) -> None:
    folder = store.create("x")

    def drive(pipe: Any) -> None:
        with folder.driving() as lease:
            assert lease is not None
            pipe.send(lease.token)
            pipe.recv()

    process, pipe = elsewhere(drive)
    assert pipe.recv() == 1
    assert folder.is_driven
    with folder.driving() as lease:
        assert lease is None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert not folder.is_driven
    with folder.driving() as lease:
        assert lease is not None
        assert lease.token == 2


def test_looking_at_a_driver_does_not_take_its_place(store: Store) -> None:
    folder = store.create("x")
    newest = store.create("y")
    for each in (folder, newest):
        LiveRun(each).append(Warned("x"))

    def look(pipe: Any) -> None:
        pipe.send("looking")
        while not pipe.poll():
            _ = folder.is_driven

    process, pipe = elsewhere(look)
    pipe.recv()
    for _ in range(300):
        with folder.driving() as lease:
            assert lease is not None
    pipe.send("enough")
    process.join()
    assert store.folders() == (newest, folder)  # nor does it make the run younger


def test_a_run_whose_folder_is_gone_is_not_driven(store: Store) -> None:
    folder = store.create("x")
    for path in folder.path.iterdir():
        path.unlink()
    folder.path.rmdir()
    assert not folder.is_driven


def test_a_named_lock_is_held_by_one_at_a_time(store: Store) -> None:
    def hold(pipe: Any) -> None:
        with store.lock("branch-1"):
            pipe.send("held")
            pipe.recv()

    process, pipe = elsewhere(hold)
    pipe.recv()
    order: list[str] = []

    def wait() -> None:
        with store.lock("branch-1"):
            order.append("ours")

    thread = threading.Thread(target=wait)
    thread.start()
    with store.lock("branch-2"):
        order.append("another lock")
    order.append("let go")
    pipe.send("let go")
    thread.join()
    process.join()
    assert order == ["another lock", "let go", "ours"]


# --- a live run --------------------------------------------------------------------------------


def test_a_live_run_knows_what_happened_before(store: Store) -> None:
    folder = stored(store, "aa")
    heard: list[Entry] = []
    live = LiveRun(folder, (lambda entry, record: heard.append(entry),))
    assert live.record == folder.record()
    assert heard == []
    assert (live.id, live.record.verdict is not None) == ("aa", True)


def test_observers_may_hear_it_all_again(store: Store) -> None:
    folder = stored(store, "aa")
    heard: list[tuple[Entry, RunRecord]] = []
    live = LiveRun(folder, (lambda entry, record: heard.append((entry, record)),), replay=True)
    assert [entry.event for entry, _ in heard] == list(records.events())
    assert [record.updated for _, record in heard] == [entry.time for entry, _ in heard]
    assert heard[-1][1] == live.record


def test_observers_hear_what_other_processes_write(store: Store) -> None:
    folder = store.create("x")
    heard: list[Event] = []
    live = LiveRun(folder, (lambda entry, record: heard.append(entry.event),))
    LiveRun(folder).append(Warned("from outside"))
    live.append(Warned("mine"))
    LiveRun(folder).append(Warned("again"))
    assert live.refresh().warnings == ("from outside", "mine", "again")
    assert heard == [Warned("from outside"), Warned("mine"), Warned("again")]


def test_threads_append_and_observers_hear_one_at_a_time(store: Store) -> None:
    inside = threading.Semaphore(1)
    heard: list[int] = []

    def observe(entry: Entry, record: RunRecord) -> None:
        assert inside.acquire(blocking=False)
        heard.append(entry.seq)
        inside.release()

    live = LiveRun(store.create("x"), (observe,))

    def work() -> None:
        for number in range(15):
            live.append(Warned(str(number)))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard == list(range(1, 61))
    assert len(live.record.warnings) == 60


def test_an_observer_that_fails_hears_no_more_and_the_run_goes_on(store: Store) -> None:
    heard: list[str] = []

    def gone(entry: Entry, record: RunRecord) -> None:
        heard.append("gone")
        raise BrokenPipeError("the reader went away")

    live = LiveRun(store.create("x"), (gone, lambda entry, record: heard.append("there")))
    live.append(Warned("a"))
    live.append(Warned("b"))
    assert heard == ["gone", "there", "there"]
    assert live.record.warnings == ("a", "b")


def test_an_interrupted_observer_loses_nothing(store: Store) -> None:
    def interrupted(entry: Entry, record: RunRecord) -> None:
        raise KeyboardInterrupt

    folder = store.create("x")
    live = LiveRun(folder, (interrupted,))
    LiveRun(folder).append(Warned("from outside"))
    with pytest.raises(KeyboardInterrupt):
        live.append(Warned("mine"))
    assert live.record.warnings == ("from outside", "mine")


def test_a_run_whose_first_line_never_reached_the_disk_never_began(store: Store) -> None:
    folder, key = stored(store, "aa"), "k"
    with store.key_lock(key):
        store.give_key(folder, key)
    assert store.by_key(key) == folder
    folder.journal.write_bytes(b"")
    assert store.folders() == ()
    assert store.by_key(key) is None  # so that whoever has the key begins another one
    ((found, _),) = store.without_journal()
    assert found.path == folder.path


def test_a_damaged_journal_is_an_error(store: Store) -> None:
    folder = stored(store, "aa")
    folder.journal.write_bytes(b"nonsense\n")
    with pytest.raises(JournalError):
        folder.record()
    with pytest.raises(JournalError):
        LiveRun(folder)


def test_keys_of_runs_that_are_gone_are_forgotten(tmp_path: Path) -> None:
    store = Store(tmp_path)
    gone, there = store.create("gone"), store.create("there")
    for key, folder in (("a", gone), ("b", there)):
        with store.key_lock(key):
            store.give_key(folder, key)
        LiveRun(folder).append(Warned("it begins"))
    shutil.rmtree(gone.path)
    store.forget_keys()
    assert [store.by_key(key) for key in ("a", "b")] == [None, there]
    assert len(list((tmp_path / "keys").iterdir())) == 1
