"""Leases: one holder, known to live or to be dead, whatever clocks and processes do."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushtrain import lease as module
from pushtrain.errors import JournalError, LeaseLost
from pushtrain.lease import BEAT, TTL, WATCH, Lease, Lookout, Standing, judge, take
from pushtrain.processes import Process
from support.paused import hurry, is_paused, other, out_of_reach, until

FAR = replace(Process.this(), boot="another machine's")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "lease"


def taken(place: Path) -> Lease:
    lease = take(place, "run 7f")
    assert lease is not None
    return lease


def written(place: Path, token: int, holder: Process, count: str = "1", age: float = 0.0) -> Path:
    """A lease's file, as its holder left it so many seconds ago."""
    place.mkdir(exist_ok=True)
    file = place / str(token)
    file.write_text(f"{json.dumps(asdict(holder))}\n{count}\n")
    os.utime(file, (time.time() - age,) * 2)
    return file


def standing(place: Path) -> Standing:
    return Lookout().look(place)


def holding(place: Path) -> Callable[[Any], None]:
    """What another process does: it takes the lease, and holds it until it hears something."""

    def hold(pipe: Any) -> None:
        with taken(place) as lease:
            pipe.send(lease.token)
            pipe.recv()

    return hold


# --- the rule ----------------------------------------------------------------------------------

_ages = st.floats(allow_nan=False, allow_infinity=False)


@given(_ages, st.floats(0, WATCH, exclude_max=True), st.booleans())
def test_no_clock_takes_a_lease_whose_heartbeat_moves(
    age: float, still: float, has_moved: bool
) -> None:
    assert judge(age, still, has_moved=has_moved).is_live


@given(_ages, st.floats(TTL, 1e9), st.booleans())
def test_no_clock_keeps_a_lease_whose_heartbeat_has_stopped(
    age: float, still: float, has_moved: bool
) -> None:
    assert judge(age, still, has_moved=has_moved) is Standing.SILENT


@given(_ages.filter(lambda age: not 0 <= age <= TTL))
def test_what_nobody_has_seen_alive_is_watched_before_it_counts_as_dead(age: float) -> None:
    assert judge(age, 0.0, has_moved=False) is Standing.DOUBTFUL
    assert judge(age, WATCH, has_moved=False) is Standing.SILENT
    assert judge(age, WATCH, has_moved=True) is Standing.HELD


def test_some_heartbeats_fit_into_the_watch() -> None:
    assert WATCH >= 3 * BEAT
    assert TTL >= 3 * WATCH


@given(
    st.floats(-1e6, 1e6),
    st.lists(st.tuples(st.floats(0.01, 5.0), st.floats(-1e5, 1e5)), max_size=30),
    st.integers(0, 30),
)
def test_however_the_wall_clock_is_set(
    offset: float, steps: list[tuple[float, float]], dies: int
) -> None:
    """A holder that renews its lease every second is never dead; one that died is, in the end."""
    steady = wall = written_at = beat_at = since = 0.0
    wall += offset
    written_at = wall
    count = seen = 0
    has_moved = False
    for number, (passed, jump) in enumerate([*steps, *((1.0, 0.0),) * 20]):
        is_alive = number < dies
        steady += passed
        wall += passed + jump
        if is_alive:  # it has renewed its lease less than a beat ago
            count, beat_at = count + 1, steady
            written_at = wall - min(passed, BEAT)
        if count != seen:
            seen, since, has_moved = count, beat_at, True
        found = judge(wall - written_at, steady - since, has_moved=has_moved)
        if is_alive:
            assert found.is_live
    if dies <= len(steps):
        assert found is Standing.SILENT


# --- one holder --------------------------------------------------------------------------------


def test_numbers_rise_with_each_holder(place: Path) -> None:
    assert standing(place) is Standing.NEVER
    for token in (1, 2, 3):
        with taken(place) as lease:
            assert lease.token == token
            assert not lease.is_contested
            assert standing(place) is Standing.HELD
            assert take(place, "run 7f") is None
            lease.check()
        assert standing(place) is Standing.RELEASED


def test_a_lease_says_who_holds_it(place: Path) -> None:
    with taken(place):
        said = json.loads((place / "1").read_text().splitlines()[0])
    assert said == asdict(Process.this())


def test_the_heart_beats_in_the_holders_own_file(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    with taken(place):
        size, seen = (place / "1").stat().st_size, set[bytes]()
        until(lambda: seen.add((place / "1").read_bytes()) or len(seen) > 3)
        assert (place / "1").stat().st_size == size


def test_of_many_takers_one_wins(place: Path) -> None:
    written(place, 1, FAR, "released")
    got: list[Lease] = []
    ready = threading.Barrier(8)

    def run() -> None:
        ready.wait()
        lease = take(place, "run 7f")
        if lease is not None:
            got.append(lease)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (lease,) = got
    assert lease.token == 2
    lease.release()


def test_of_two_processes_one_wins_and_each_says_so(place: Path) -> None:
    written(place, 1, FAR, "released")

    def run(pipe: Any) -> None:
        pipe.recv()
        for _ in range(40):
            pipe.send(lease.token if (lease := take(place, "run 7f")) else None)
            pipe.recv()
            if lease:
                lease.release()
            pipe.send("given back")
            pipe.recv()

    with other(run) as one, other(run) as two:
        for process in (one, two):
            process.pipe.send("begin")
        for round_ in range(40):
            tokens = [process.hear() for process in (one, two)]
            assert sorted(tokens, key=bool) == [None, round_ + 2]
            for process in (one, two):
                process.pipe.send("give it back")
                process.hear()
                process.pipe.send("again")


def test_releasing_twice_is_no_error(place: Path) -> None:
    lease = taken(place)
    lease.release()
    lease.release()
    assert standing(place) is Standing.RELEASED


def test_earlier_holders_can_be_forgotten_and_stay_fenced(place: Path) -> None:
    first = taken(place)
    (place / "1").rename(place / "hidden")
    written(place, 1, FAR, "released")
    second = taken(place)
    second.forget()
    assert sorted(path.name for path in place.iterdir()) == ["2", "hidden"]
    with pytest.raises(LeaseLost):
        first.check()
    second.check()
    first.release()
    second.release()


def test_a_number_below_the_lease_is_none(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A taker that slept between its look and its file: the number was used and forgotten."""
    written(place, 1, FAR, "released")
    sight = Lookout.sight

    def slow(self: Lookout, where: Path) -> tuple[int, Standing]:
        found = sight(self, where)
        monkeypatch.undo()
        taken(place).release()
        third = taken(place)
        third.forget()
        third.release()
        return found

    monkeypatch.setattr(Lookout, "sight", slow)
    assert take(place, "run 7f") is None
    with taken(place) as fourth:
        assert fourth.token == 4


# --- the end of a holder -----------------------------------------------------------------------


def test_a_holder_that_was_killed_is_dead_at_once(place: Path) -> None:
    with other(holding(place)) as holder:
        assert holder.hear() == 1
        assert take(place, "run 7f") is None
        holder.kill()
        began = time.monotonic()
        with taken(place) as lease:
            assert lease.token == 2
            assert not lease.is_contested
            assert lease.heir_of is not None and lease.heir_of.pid == holder.pid
        assert time.monotonic() - began < WATCH
    with taken(place) as next_one:
        assert next_one.heir_of is None, "the one before gave it back"


@pytest.mark.parametrize("age", [TTL + 1, 3600.0, -10.0, -3600.0])
def test_a_dead_holder_elsewhere_is_known_by_its_silence(
    place: Path, monkeypatch: pytest.MonkeyPatch, age: float
) -> None:
    monkeypatch.setattr(module, "WATCH", 0.3)
    written(place, 1, FAR, age=age)
    assert standing(place) is Standing.DOUBTFUL
    began = time.monotonic()
    with taken(place) as lease:
        assert lease.is_contested  # it may be paused
    assert time.monotonic() - began >= 0.3


def test_a_holder_elsewhere_that_was_heard_a_moment_ago_is_left_alone(place: Path) -> None:
    written(place, 1, FAR, age=TTL - 5)
    began = time.monotonic()
    assert take(place, "run 7f") is None
    assert time.monotonic() - began < WATCH / 2


@pytest.mark.parametrize("age", [TTL + 100, -100.0])
def test_a_live_holder_is_known_although_the_clocks_differ(
    place: Path, monkeypatch: pytest.MonkeyPatch, age: float
) -> None:
    """Its machine's time is far from ours, so that its file never is of now."""
    hurry(monkeypatch)
    file = written(place, 1, FAR, "0", age=age)
    beats = threading.Event()

    def beat() -> None:
        count = 0
        while not beats.wait(0.02):
            count += 1
            written(place, 1, FAR, str(count), age=age)

    thread = threading.Thread(target=beat)
    thread.start()
    lookout = Lookout()
    try:
        for _ in range(3):
            assert take(place, "run 7f") is None
            assert lookout.settle((place,)) == {place: Standing.HELD}
    finally:
        beats.set()
        thread.join()
    until(lambda: lookout.look(place) is Standing.SILENT)
    assert file.exists()


def test_a_jump_of_our_clock_does_not_take_a_live_lease(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    with taken(place):
        for jump in (3600.0, -3600.0, 1e8):
            real = time.time
            monkeypatch.setattr(module.time, "time", lambda real=real, by=jump: real() + by)
            assert take(place, "run 7f") is None
            monkeypatch.setattr(module.time, "time", real)


def test_a_paused_holder_is_ended_and_its_successor_is_undisputed(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    with other(holding(place)) as holder:
        holder.hear()
        holder.pause()
        assert take(place, "run 7f") is None  # not for so long
        until(lambda: standing(place) is not Standing.HELD)
        with taken(place) as lease:
            assert not lease.is_contested
            assert holder.end() == -9


def test_a_paused_holder_out_of_reach_wakes_up_and_knows(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    out_of_reach(monkeypatch)

    def hold(pipe: Any) -> None:
        lease = taken(place)
        pipe.send("held")
        pipe.recv()
        try:
            lease.check()
        except LeaseLost as error:
            pipe.send(str(error))
        lease.release()
        pipe.send("released")

    with other(hold) as holder:
        holder.hear()
        holder.pause()
        until(lambda: standing(place) is not Standing.HELD)
        with taken(place) as lease:
            assert (lease.token, lease.is_contested) == (2, True)
            holder.pipe.send("go on")
            holder.go_on()
            assert "run 7f is no longer this process's to work on" in holder.hear()
            assert holder.hear() == "released"
            lease.check()  # what it does to its own file does nothing to ours
            assert standing(place) is Standing.HELD


def test_what_another_users_file_says_has_nobody_ended(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    sighting = module._sighting

    def foreign(place: Path, token: int) -> module.Sighting | None:
        seen = sighting(place, token)
        return None if seen is None else replace(seen, owner=seen.owner + 1)

    monkeypatch.setattr(module, "_sighting", foreign)
    with other(holding(place)) as holder:
        holder.hear()
        holder.pause()
        until(lambda: standing(place) is not Standing.HELD)
        with taken(place) as lease:
            assert lease.is_contested
            assert is_paused(holder.pid)


def test_a_lease_without_a_heartbeat_is_none(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", full)
        with pytest.raises(RuntimeError):
            take(place, "run 7f")
    assert standing(place) is Standing.RELEASED


def test_a_successor_that_dies_leaves_the_paused_one_to_the_next(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had no time to make the first one harmless: so that is still known to be contested."""
    hurry(monkeypatch)
    written(place, 1, FAR, age=60.0)
    with other(holding(place)) as second:
        assert second.hear() == 2
        second.kill()
    with taken(place) as third:
        assert (third.token, third.is_contested) == (3, True)
        third.forget()
    with taken(place) as fourth:
        assert not fourth.is_contested


def test_a_lookout_needs_no_wall_clock(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who has seen it alive, and then not for long, knows without any file's time."""
    hurry(monkeypatch)
    lookout = Lookout()
    written(place, 1, FAR, "1")
    assert lookout.look(place) is Standing.HELD
    written(place, 1, FAR, "2", age=-5.0)
    assert lookout.look(place) is Standing.HELD
    until(lambda: lookout.look(place) is Standing.SILENT)


# --- whatever lies there -----------------------------------------------------------------------


def test_a_lease_whose_folder_is_removed_is_lost(place: Path) -> None:
    lease = taken(place)
    (place / "1").unlink()
    with pytest.raises(LeaseLost, match="removed"):
        lease.check()
    place.rmdir()
    with pytest.raises(LeaseLost, match="removed"):
        lease.check()
    lease.release()


def test_there_is_no_lease_where_there_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        take(tmp_path / "missing" / "lease", "run 7f")
    assert standing(tmp_path / "missing" / "lease") is Standing.NEVER


def test_a_place_that_is_no_directory_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "lease").write_text("a file")
    with pytest.raises(JournalError, match="cannot be read"):
        standing(tmp_path / "lease")


@given(st.binary(max_size=300))
def test_a_file_may_hold_anything(content: bytes) -> None:
    seen = module.Sighting(1, module._holder(content.partition(b"\n")[0]), content, 0.0, 0)
    assert seen.is_over in (True, False)


@pytest.mark.parametrize(
    "holder",
    [
        replace(Process.this(), pid=-1),
        replace(Process.this(), pid=0),
        replace(Process.this(), pid=2**31),
        replace(Process.this(), pid=10**30),
    ],
)
def test_a_number_that_means_no_process_means_nobody(
    place: Path, monkeypatch: pytest.MonkeyPatch, holder: Process
) -> None:
    monkeypatch.setattr(module, "WATCH", 0.1)
    written(place, 1, holder, age=60.0)
    with taken(place) as lease:
        assert lease.is_contested


def test_an_empty_file_is_a_holder_that_is_about_to_say_who_it_is(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WATCH", 0.1)
    place.mkdir()
    (place / "1").touch()
    assert take(place, "run 7f") is None
    os.utime(place / "1", (1.0, 1.0))  # and that died meanwhile
    taken(place).release()


@pytest.mark.parametrize("name", ["x", "-1", "01x", "１", "9" * 16, ".1", "", "01", "00", "1\n"])
def test_only_numbers_are_leases(place: Path, name: str) -> None:
    place.mkdir()
    if name:
        (place / name).write_text("x")
    assert standing(place) is Standing.NEVER


def test_pipes_are_not_waited_for_and_links_not_followed(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WATCH", 0.1)
    place.mkdir()
    os.mkfifo(place / "1")
    os.utime(place / "1", (1.0, 1.0))
    with taken(place) as lease:
        assert lease.token == 2
    (place / "3").symlink_to(tmp_path / "secret")
    with pytest.raises(JournalError, match="3 cannot be read"):
        standing(place)
