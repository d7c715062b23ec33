"""A run's journal when its driver, or anybody else, is paused at the worst of moments.

Everything here is done by real processes that stop themselves (SIGSTOP) at a chosen point, out of
the reach of their successors, as if on another host.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pushtrain import journal as journal_module
from pushtrain import shared_file
from pushtrain.errors import JournalError, LeaseLost
from pushtrain.events import Entry, StopRequested, Warned
from pushtrain.journal import Journal
from pushtrain.lease import Lookout, Standing
from pushtrain.shared_file import SharedFile
from pushtrain.store import LiveRun, RunFolder, Store
from support.paused import hurry, is_paused, other, out_of_reach, pause_myself, until


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)
    out_of_reach(monkeypatch)
    for module, name in (
        (journal_module, "_PATIENCE"),
        (journal_module, "_GLANCE"),
        (shared_file, "_PATIENCE"),
    ):
        monkeypatch.setattr(module, name, 0.1)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    made = Store(tmp_path / "home").create("x")
    LiveRun(made).append(Warned("it begins"))
    return made


def said(folder: RunFolder) -> list[str]:
    """What the journal holds now, as somebody reads it who knows nothing of it."""
    entries = Journal(folder.journal).read()
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    return [_text(entry) for entry in entries]


def _text(entry: Entry) -> str:
    event = entry.event
    return event.message if isinstance(event, Warned) else event.event


def tell(pipe: Any, work: Callable[[], object]) -> None:
    """Says what came of some work: nothing, or the name of its error."""
    try:
        work()
        pipe.send("done")
    except (LeaseLost, JournalError) as error:
        pipe.send(type(error).__name__)


def silent(folder: RunFolder) -> None:
    """Waits until a driver's heartbeat has stopped for long enough."""
    lookout = Lookout()
    until(lambda: lookout.look(folder.lease) is Standing.SILENT)


# --- where a process may stop ------------------------------------------------------------------


def _stop_once(owner: Any, name: str, *, after: bool = False) -> None:
    """Lets this process stop itself when it next calls something, before or after the call."""
    original = getattr(owner, name)

    def stopping(*arguments: Any, **options: Any) -> Any:
        setattr(owner, name, original)
        if not after:
            pause_myself()
        result = original(*arguments, **options)
        if after:
            pause_myself()
        return result

    setattr(owner, name, stopping)


def _before_the_lock() -> None:
    _stop_once(shared_file, "_lock")


def _before_the_write() -> None:
    _stop_once(Journal, "_write")


def _within_the_write() -> None:
    original, write = Journal._write, os.write

    def half(file: int, data: Any) -> int:
        os.write = write  # type: ignore[assignment]
        done = write(file, data[: len(data) // 2])
        pause_myself()
        return done

    def writing(*arguments: Any, **options: Any) -> None:
        Journal._write = original  # type: ignore[method-assign]
        os.write = half  # type: ignore[assignment]
        original(*arguments, **options)

    Journal._write = writing  # type: ignore[method-assign]


def _after_the_write() -> None:
    _stop_once(Journal, "_write", after=True)


POINTS = [_before_the_lock, _before_the_write, _within_the_write, _after_the_write]
KEPT = {_after_the_write}
"""Where the event is in the journal already when its writer stops."""


def driver(folder: RunFolder, stop_at: Callable[[], None], event: str) -> Callable[[Any], None]:
    """A driver that stops while it writes an event, and says what came of it."""

    def drive(pipe: Any) -> None:
        with folder.driving() as lease:
            live = LiveRun(folder, lease=lease)
            live.append(Warned("driven"))
            pipe.send("driving")
            stop_at()
            tell(pipe, lambda: live.append(Warned(event)))
            tell(pipe, live.refresh)
            tell(pipe, lambda: live.append(Warned("never")))

    return drive


def asker(folder: RunFolder, stop_at: Callable[[], None]) -> Callable[[Any], None]:
    """Somebody without a lease who stops while asking the run to stop."""

    def ask(pipe: Any) -> None:
        live = LiveRun(folder)
        pipe.send("asking")
        stop_at()
        tell(pipe, lambda: live.append(StopRequested("by hand")))

    return ask


# --- a driver ----------------------------------------------------------------------------------


@pytest.mark.parametrize("stop_at", POINTS)
def test_a_driver_that_wakes_up_after_its_time_changes_nothing(
    folder: RunFolder, stop_at: Callable[[], None]
) -> None:
    with other(driver(folder, stop_at, "late")) as first:
        assert first.hear() == "driving"
        until(lambda: is_paused(first.pid))
        silent(folder)
        with folder.driving() as lease:
            assert lease is not None
            live = LiveRun(folder, lease=lease)
            before = ["it begins", "driven", *(["late"] if stop_at in KEPT else [])]
            assert said(folder) == before
            live.append(Warned("second"))
            first.go_on()
            assert [first.hear() for _ in range(3)] == ["LeaseLost"] * 3
            live.append(Warned("third"))
        first.end()
    assert said(folder) == [*before, "second", "third"]


@pytest.mark.parametrize("stop_at", POINTS)
def test_a_driver_that_wakes_up_before_anybody_wrote_changes_nothing_either(
    folder: RunFolder, stop_at: Callable[[], None]
) -> None:
    with other(driver(folder, stop_at, "late")) as first:
        first.hear()
        until(lambda: is_paused(first.pid))
        silent(folder)
        with folder.driving() as lease:
            first.go_on()
            assert [first.hear() for _ in range(3)] == ["LeaseLost"] * 3
            live = LiveRun(folder, lease=lease)
            known = said(folder)
            live.append(Warned("second"))
    assert said(folder) == [*known, "second"]
    assert known == ["it begins", "driven", *(["late"] if stop_at in KEPT else [])]


@pytest.mark.parametrize("stop_at", POINTS)
def test_a_driver_that_was_paused_for_a_moment_goes_on(
    folder: RunFolder, stop_at: Callable[[], None]
) -> None:
    with other(driver(folder, stop_at, "in time")) as first:
        first.hear()
        until(lambda: is_paused(first.pid))
        first.go_on()
        assert [first.hear() for _ in range(3)] == ["done"] * 3
        first.end()
    assert said(folder) == ["it begins", "driven", "in time", "never"]


def test_what_the_world_outside_knows_is_written_by_whoever_knows_it(folder: RunFolder) -> None:
    """A mail that a paused driver had sent: its successor must hear of it, or sends it again."""

    def drive(pipe: Any) -> None:
        with folder.driving() as lease:
            live = LiveRun(folder, lease=lease)
            pipe.send("driving")
            pause_myself()
            tell(pipe, lambda: live.append(Warned("not mine to say")))
            tell(pipe, lambda: live.append(Warned("it was sent"), is_fenced=False))

    with other(drive) as first:
        first.hear()
        until(lambda: is_paused(first.pid))
        silent(folder)
        with folder.driving() as lease:
            live = LiveRun(folder, lease=lease)
            live.append(Warned("second"))
            first.go_on()
            assert [first.hear() for _ in range(2)] == ["LeaseLost", "done"]
            live.append(Warned("third"))
    assert said(folder) == ["it begins", "second", "it was sent", "third"]


# --- somebody without a lease ------------------------------------------------------------------


@pytest.mark.parametrize("stop_at", POINTS)
def test_a_driver_does_not_wait_for_whoever_is_paused_with_the_lock(
    folder: RunFolder, stop_at: Callable[[], None]
) -> None:
    with folder.driving() as lease, other(asker(folder, stop_at)) as somebody:
        live = LiveRun(folder, lease=lease)
        somebody.hear()
        until(lambda: is_paused(somebody.pid))
        live.append(Warned("on and on"))
        somebody.go_on()
        assert somebody.hear() == "done"
        live.append(Warned("and on"))
    told = said(folder)
    assert sorted(told) == ["and on", "it begins", "on and on", "stop_requested"]
    assert told.index("on and on") < told.index("and on")


def test_without_a_driver_whoever_is_paused_with_the_lock_is_named(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "_LONG_PATIENCE", 0.1)
    with other(asker(folder, _before_the_write)) as somebody:
        somebody.hear()
        until(lambda: is_paused(somebody.pid))
        with pytest.raises(JournalError, match="locked by a process that does not go on"):
            LiveRun(folder).append(Warned("x"))
        assert said(folder) == ["it begins"]  # reading goes on
        with folder.driving() as lease:
            LiveRun(folder, lease=lease).append(Warned("driven"))
        LiveRun(folder).append(Warned("asked"))
        somebody.go_on()
        assert somebody.hear() == "done"
    assert said(folder) == ["it begins", "driven", "asked", "stop_requested"]


def test_somebody_who_waits_for_the_lock_follows_the_journal_to_its_copy(
    folder: RunFolder,
) -> None:
    """The lock that it waits for is never given back: its holder is ended, and not the lock's."""
    with (
        other(asker(folder, _before_the_write)) as holder,
        other(asker(folder, lambda: None)) as waiting,
    ):
        holder.hear()
        until(lambda: is_paused(holder.pid))
        waiting.hear()
        with folder.driving() as lease:
            LiveRun(folder, lease=lease).append(Warned("driven"))
            assert waiting.hear() == "done"
    assert sorted(said(folder)) == ["driven", "it begins", "stop_requested"]


@pytest.mark.parametrize("is_before_the_rename", [True, False])
def test_what_is_written_while_the_copy_is_made_is_in_it_once(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch, is_before_the_rename: bool
) -> None:
    """Whoever held the lock wakes up between the copy's first part and its end."""
    with other(asker(folder, _before_the_write)) as somebody:
        somebody.hear()
        until(lambda: is_paused(somebody.pid))
        copy, size = shared_file._copy_lines, folder.journal.stat().st_size

        def wake(source: int) -> None:
            somebody.go_on()
            until(lambda: os.fstat(source).st_size > size)  # it has written
            if is_before_the_rename:
                assert somebody.hear() == "done"

        def copying(source: int, target: int, start: int) -> int:
            if start and not is_before_the_rename:
                wake(source)
            end = copy(source, target, start)
            if not start and is_before_the_rename:
                wake(source)
            return end

        monkeypatch.setattr(shared_file, "_copy_lines", copying)
        with folder.driving() as lease:
            live = LiveRun(folder, lease=lease)
            live.append(Warned("driven"))
            if not is_before_the_rename:
                assert somebody.hear() == "done"
            live.append(Warned("on"))
    assert said(folder) == ["it begins", "stop_requested", "driven", "on"]


# --- the one who takes over --------------------------------------------------------------------


def taker(folder: RunFolder, stop_at: Callable[[], None]) -> Callable[[Any], None]:
    """Somebody who takes over from a driver that is paused, and stops in the middle of it."""

    def take_over(pipe: Any) -> None:
        pipe.send("taking over")
        stop_at()
        with folder.driving() as lease:
            pipe.send(lease is not None)
            if lease is not None:
                tell(pipe, lambda: LiveRun(folder, lease=lease).append(Warned("second")))

    return take_over


def _before_the_copy() -> None:
    _stop_once(SharedFile, "_replace")


def _before_the_rename() -> None:
    _stop_once(Path, "replace")


def _after_the_rename() -> None:
    _stop_once(Path, "replace", after=True)


@pytest.mark.parametrize("stop_at", [_before_the_copy, _before_the_rename, _after_the_rename])
def test_a_taker_that_is_paused_in_the_middle_is_taken_over_from(
    folder: RunFolder, stop_at: Callable[[], None]
) -> None:
    with other(driver(folder, _before_the_write, "late")) as first:
        first.hear()
        until(lambda: is_paused(first.pid))
        silent(folder)
        with other(taker(folder, stop_at)) as second:
            second.hear()
            until(lambda: is_paused(second.pid))
            silent(folder)
            with folder.driving() as lease:
                assert lease is not None and lease.token == 3
                live = LiveRun(folder, lease=lease)
                live.append(Warned("third"))
                second.go_on()
                assert second.hear() is False
                first.go_on()
                assert [first.hear() for _ in range(3)] == ["LeaseLost"] * 3
                live.append(Warned("still third"))
    assert said(folder) == ["it begins", "driven", "third", "still third"]
    assert not list(folder.path.glob(".journal-*"))


def test_of_two_takers_at_once_one_gets_the_run(folder: RunFolder) -> None:
    def both(pipe: Any) -> None:
        pipe.recv()
        with folder.driving() as lease:
            pipe.send(lease is not None)
            if lease is not None:
                LiveRun(folder, lease=lease).append(Warned(f"driver {lease.token}"))
            pipe.recv()

    with other(driver(folder, _before_the_write, "late")) as first:
        first.hear()
        until(lambda: is_paused(first.pid))
        silent(folder)
        with other(both) as one, other(both) as two:
            for each in (one, two):
                each.pipe.send("now")
            assert sorted(each.hear() for each in (one, two)) == [False, True]
            for each in (one, two):
                each.pipe.send("end")
                assert each.end() == 0
    assert said(folder) == ["it begins", "driven", "driver 2"]


def test_a_journal_that_nobody_has_written_yet_needs_no_copy(tmp_path: Path) -> None:
    folder = Store(tmp_path).create("x")

    def begin(pipe: Any) -> None:
        with folder.driving():
            pipe.send("checking out")
            pause_myself()

    with other(begin) as first:
        first.hear()
        until(lambda: is_paused(first.pid))
        silent(folder)
        with folder.driving() as lease:
            assert lease is not None and lease.is_contested
    assert not folder.journal.exists()


def test_an_error_of_the_disk_while_copying_leaves_the_journal_as_it_was(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with folder.driving() as lease:
        before = folder.journal.read_bytes()
        journal = Journal(folder.journal, lease=lease)
        with monkeypatch.context() as patch:
            patch.setattr(shared_file, "_copy_lines", full)
            with pytest.raises(JournalError, match=r"cannot be replaced.*No space left"):
                journal.supplant()
        assert folder.journal.read_bytes() == before
        journal.supplant()
        assert folder.journal.read_bytes() == before
        assert not list(folder.path.glob(".journal-*"))


def test_a_line_that_was_cut_short_is_not_copied(folder: RunFolder) -> None:
    whole = folder.journal.read_bytes()
    with folder.journal.open("ab") as file:
        file.write(b"01234567 {cut")
    with folder.driving() as lease:
        Journal(folder.journal, lease=lease).supplant()
    assert folder.journal.read_bytes() == whole
