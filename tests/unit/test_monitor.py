"""What the monitor plans, and what it does about it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.engine import FakeEngine
from pushtrain import monitor as module
from pushtrain.entities import RunState
from pushtrain.errors import EngineUnreachable, JournalError, SandboxError
from pushtrain.events import DriverLost, Published
from pushtrain.interfaces import LABEL_RUN, Limits, SandboxSpec, SandboxState, VolumeState
from pushtrain.inventory import StoredRun
from pushtrain.lease import Standing
from pushtrain.monitor import MOST_DRIVERS, Action, Holdings, Monitor, What, due, plan
from pushtrain.record import RunRecord
from pushtrain.rescue import Rescue
from pushtrain.store import LiveRun, RunFolder, Store
from support import records
from support.paused import other, until

NOW = 1_000_000_000.0
NOTHING = Holdings()


def stored(
    run: str,
    state: RunState = RunState.TRAINING,
    standing: Standing = Standing.GONE,
    *,
    age: float = 60.0,
    published: bool = False,
    **changes: Any,
) -> StoredRun:
    record = replace(
        records.run(state=state), id=run, updated=NOW - age, is_published=published, **changes
    )
    return StoredRun(RunFolder(run, Path("/runs") / run), record, standing)


def container(run: str) -> SandboxState:
    labels: Mapping[str, str] = {LABEL_RUN: run}
    return SandboxState(f"id-{run}", f"pushtrain-{run}-0", labels, True, None, False)


def volume(run: str) -> VolumeState:
    return VolumeState(f"checkpoints-{run}", {LABEL_RUN: run})


def planned(
    *runs: StoredRun, held: Holdings | None = NOTHING, never_begun: Iterable[RunFolder] = ()
) -> list[tuple[What, str]]:
    return [(action.what, action.subject) for action in plan(runs, held, never_begun, NOW)]


# --- the plan ----------------------------------------------------------------------------------


@pytest.mark.parametrize("standing", list(Standing))
def test_a_run_without_a_driver_gets_one(standing: Standing) -> None:
    expected = [] if standing.is_live else [(What.RESUME, "a")]
    assert planned(stored("a", standing=standing)) == expected


def test_a_run_that_is_over_and_published_is_left_alone() -> None:
    assert planned(stored("a", RunState.MET, published=True)) == []


def test_a_verdict_that_is_not_published_gets_a_driver_too() -> None:
    (action,) = plan([stored("a", RunState.MET)], NOTHING, (), NOW)
    assert (action.what, action.why) == (What.RESUME, "its verdict is not published")


@pytest.mark.parametrize("standing", [Standing.NEVER, Standing.RELEASED])
def test_a_run_that_has_just_begun_may_take_its_lease_first(standing: Standing) -> None:
    assert planned(stored("a", standing=standing, age=1)) == []
    assert planned(stored("a", standing=standing, age=11)) == [(What.RESUME, "a")]


@pytest.mark.parametrize("standing", [Standing.GONE, Standing.SILENT])
def test_a_driver_that_is_known_to_be_dead_is_replaced_at_once(standing: Standing) -> None:
    assert planned(stored("a", standing=standing, age=0)) == [(What.RESUME, "a")]


def test_a_clock_that_was_set_back_keeps_nobody_waiting() -> None:
    assert planned(stored("a", standing=Standing.RELEASED, age=-1e6)) == [(What.RESUME, "a")]
    again = stored("a", drivers_lost=4, driver_lost=NOW + 1e6)
    assert planned(again) == [(What.RESUME, "a")]


def test_pauses_grow_with_each_driver_that_died() -> None:
    pauses = []
    for lost in range(1, MOST_DRIVERS):
        waited = (stored("a", drivers_lost=lost, driver_lost=NOW - age) for age in range(1000))
        pauses.append(next(age for age, run in enumerate(waited) if planned(run)))
    assert pauses == [20, 40, 80, 160]


def test_a_run_whose_drivers_keep_dying_is_given_up() -> None:
    def lost(times: int, **changes: Any) -> StoredRun:
        return stored("a", drivers_lost=times, driver_lost=NOW - 1e4, **changes)

    assert planned(lost(MOST_DRIVERS - 1)) == [(What.RESUME, "a")]
    assert planned(lost(MOST_DRIVERS)) == [(What.GIVE_UP, "a")]
    assert planned(lost(MOST_DRIVERS, state=RunState.MET)) == [(What.GIVE_UP, "a")]


def test_a_reproduction_is_not_gone_on_with() -> None:
    assert planned(stored("a", reproduces="7f")) == [(What.GIVE_UP, "a")]


def test_without_an_engine_only_what_needs_none_is_done() -> None:
    training, met = stored("a"), stored("b", RunState.MET)
    hopeless = stored("c", drivers_lost=MOST_DRIVERS)
    told = planned(training, met, hopeless, held=None)
    assert told == [(What.RESUME, "b"), (What.GIVE_UP, "c")]


def test_what_cannot_be_read_is_shown_and_what_it_has_on_the_engine_goes() -> None:
    run = replace(stored("a"), record=None, problem="its journal is damaged")
    held = Holdings((container("a"),), (volume("a"),))
    assert planned(run, held=held) == [(What.REMOVE, "pushtrain-a-0"), (What.EXAMINE, "a")]
    unknown = replace(run, standing=Standing.HELD)
    assert planned(unknown, held=held) == [(What.EXAMINE, "a")]


def test_containers_go_that_no_living_run_owns_and_that_are_ours() -> None:
    runs = (
        stored("over", RunState.MET, published=True),
        stored("left"),
        stored("driven", standing=Standing.HELD),
    )
    held = Holdings(tuple(container(run) for run in ("over", "left", "driven", "unknown")))
    actions = [a for a in plan(runs, held, (), NOW) if a.what is What.REMOVE]
    assert [a.subject for a in actions] == ["pushtrain-over-0", "pushtrain-left-0"]
    assert [a.id for a in actions] == ["id-over", "id-left"]


def test_checkpoints_go_that_nobody_will_go_on_from() -> None:
    states = (RunState.MET, RunState.SPENT, RunState.STOPPED, RunState.SUPERSEDED)
    runs = [
        *(stored(state, state, published=True) for state in states),
        stored("left"),
        stored("driven", RunState.MET, Standing.HELD),
    ]
    volumes = tuple(volume(run) for run in (*states, "left", "driven", "unknown"))
    told = planned(*runs, held=Holdings((), volumes))
    removed = [subject for what, subject in told if what is What.REMOVE_CHECKPOINTS]
    assert removed == ["checkpoints-met", "checkpoints-spent"]


def test_what_never_began_is_discarded() -> None:
    folder = RunFolder("x", Path("/runs/x"))
    assert planned(never_begun=[folder]) == [(What.DISCARD, "x")]


_runs = st.lists(
    st.builds(
        stored,
        st.sampled_from("abcdef"),
        st.sampled_from([RunState.TRAINING, RunState.MET, RunState.STOPPED]),
        st.sampled_from(Standing),
        age=st.floats(-1e6, 1e6),
        published=st.booleans(),
        drivers_lost=st.integers(0, 9),
        driver_lost=st.floats(0, 2 * NOW),
    ),
    unique_by=lambda run: run.folder.id,
)
_subjects = st.lists(st.sampled_from("abcdefgh"), unique=True)


@given(_runs, _subjects, _subjects)
def test_whatever_has_happened_nothing_that_lives_is_touched(
    runs: list[StoredRun], containers: list[str], volumes: list[str]
) -> None:
    held = Holdings(tuple(map(container, containers)), tuple(map(volume, volumes)))
    actions = plan(runs, held, (), NOW)
    known = {run.folder.id: run for run in runs}
    for action in actions:
        name = action.subject.removeprefix("pushtrain-").removesuffix("-0")
        run = known[name.removeprefix("checkpoints-")]
        assert not run.is_driven
        if action.what in (What.RESUME, What.GIVE_UP):
            assert not run.is_settled
    assert len({(a.what, a.subject) for a in actions}) == len(actions)


@given(_runs)
def test_in_the_end_every_run_is_settled(runs: list[StoredRun]) -> None:
    """Drivers that die whenever they are started: the runs end all the same, in bounded time."""
    for run in runs:
        assert run.record is not None
        record, now, standing, acts = run.record, NOW + 1e7, run.standing, 0
        if standing.is_live:
            continue
        while (action := due(record, standing, now)) is not None:
            acts += 1
            assert acts <= 2 * MOST_DRIVERS + 2
            standing = Standing.GONE
            match action.what, record.verdict:
                case What.RESUME, _:
                    lost = record.drivers_lost + 1
                    record = replace(record, drivers_lost=lost, driver_lost=now)
                case What.GIVE_UP, None:
                    verdict = records.run(state=RunState.FAILED).verdict
                    record = replace(record, verdict=verdict, drivers_lost=0)
                case _:
                    record = replace(record, is_published=True)
            now += 1e6
        assert record.is_published


# --- a pass ------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")


class Recorder(Rescue):
    """Does nothing to runs but keep what it was asked to do."""

    def __init__(self, fails: Mapping[str, Exception] | None = None) -> None:
        self.done: list[tuple[str, str]] = []
        self.fails = fails or {}

    def _do(self, what: str, run: str) -> bool:
        if run in self.fails:
            raise self.fails[run]
        self.done.append((what, run))
        return True

    def resume(self, run: str, is_due: Callable[[RunRecord], bool]) -> bool:
        return self._do("resume", run)

    def give_up(self, run: str, is_due: Callable[[RunRecord], bool]) -> bool:
        return self._do("give up", run)

    def discard(self, run: str) -> bool:
        return self._do("discard", run)


def left(store: Store, state: RunState = RunState.TRAINING) -> RunFolder:
    """A run whose driver, another process, was killed."""
    folder = store.create("x")
    for event in records.events(state=state):
        LiveRun(folder).append(event)

    def drive(pipe: Any) -> None:
        with folder.driving():
            pipe.send("driving")
            pipe.recv()

    with other(drive) as driver:
        driver.hear()
    return folder


def launched(engine: FakeEngine, run: str, name: str = "c") -> None:
    limits = Limits(1, 1.0, 16, 1, 1, 1)
    engine.launch(SandboxSpec(name, "i", ("x",), {LABEL_RUN: run}, limits, checkpoints=f"v-{name}"))


def passed(
    store: Store,
    engine: FakeEngine,
    rescue: Rescue,
    delivered: Iterable[tuple[Action, str]] = (),
) -> tuple[bool, list[tuple[What, str, str]]]:
    told: list[tuple[What, str, str]] = []
    one = Monitor(store, engine, rescue, lambda: delivered)
    went_well = one.once(lambda action, error: told.append((action.what, action.subject, error)))
    return went_well, told


def test_a_pass_does_what_is_planned(store: Store) -> None:
    abandoned, over = left(store), left(store, RunState.MET)
    LiveRun(over).append(Published())
    engine, rescue = FakeEngine(), Recorder()
    for run in (abandoned.id, over.id, "unknown"):
        launched(engine, run, run)
    went_well, told = passed(store, engine, rescue)
    assert went_well
    assert [(what, error) for what, _, error in told] == [
        (What.REMOVE, ""), (What.REMOVE, ""), (What.REMOVE_CHECKPOINTS, ""), (What.RESUME, ""),
    ]  # fmt: skip
    assert rescue.done == [("resume", abandoned.id)]
    assert [sandbox.spec.name for sandbox in engine.running] == ["unknown"]
    assert sorted(engine.kept) == sorted(["v-unknown", f"v-{abandoned.id}"])


def test_a_pass_without_anything_to_do_goes_well_and_says_nothing(store: Store) -> None:
    assert passed(store, FakeEngine(), Recorder()) == (True, [])


def test_what_fails_is_shown_and_stops_nothing_else(store: Store) -> None:
    damaged, first, second, third = left(store), left(store), left(store), left(store)
    damaged.journal.write_bytes(b"damaged\n")
    rescue = Recorder({first.id: JournalError("no room"), second.id: ZeroDivisionError("a defect")})
    went_well, told = passed(store, FakeEngine(), rescue)
    assert not went_well
    errors = {subject: error for _, subject, error in told}
    assert "is damaged" in errors[damaged.id]
    assert (errors[first.id], errors[second.id], errors[third.id]) == ("no room", "a defect", "")
    assert rescue.done == [("resume", third.id)]


def test_a_container_that_cannot_be_removed_is_shown(store: Store) -> None:
    folder, engine, rescue = left(store), FakeEngine(), Recorder()
    launched(engine, folder.id)

    def refuse(container: str, *, grace: float = 0) -> None:
        raise SandboxError("it hangs")

    engine.remove = refuse  # type: ignore[method-assign]
    went_well, told = passed(store, engine, rescue)
    assert not went_well
    assert told == [(What.REMOVE, "c", "it hangs"), (What.RESUME, folder.id, "")]


def test_an_engine_that_is_away_is_shown_and_keeps_nothing_else(store: Store) -> None:
    abandoned, over = left(store), left(store, RunState.MET)
    engine, rescue = FakeEngine(), Recorder()

    def away(labels: Mapping[str, str]) -> list[SandboxState]:
        raise EngineUnreachable("no engine", hint="start it")

    engine.find = away  # type: ignore[method-assign]
    went_well, told = passed(store, engine, rescue)
    assert not went_well
    assert told[0] == (What.EXAMINE, "engine", "no engine; start it")
    assert rescue.done == [("resume", over.id)]
    assert abandoned.record().verdict is None


def test_runs_that_cannot_be_listed_are_shown(store: Store) -> None:
    store.home.mkdir()
    (store.home / "runs").write_text("a file")
    went_well, told = passed(store, FakeEngine(), Recorder())
    assert not went_well
    assert [what for what, _, _ in told] == [What.EXAMINE]


@pytest.mark.parametrize("error", ["", "the server is away"])
def test_what_waits_is_delivered(store: Store, error: str) -> None:
    delivered = [(Action(What.DELIVER, "7f", "mail to ada"), error)]
    assert passed(store, FakeEngine(), Recorder(), delivered) == (
        not error,
        [(What.DELIVER, "7f", error)],
    )


@pytest.mark.parametrize("kind", [JournalError, ValueError])
def test_deliveries_that_cannot_be_looked_at_are_shown(store: Store, kind: type) -> None:
    def unreadable() -> Iterator[tuple[Action, str]]:
        yield Action(What.DELIVER, "7f", "mail to ada"), ""
        raise kind("the runs cannot be listed")

    went_well, told = passed(store, FakeEngine(), Recorder(), unreadable())
    assert not went_well
    assert [(subject, error) for _, subject, error in told] == [
        ("7f", ""),
        ("messages", "the runs cannot be listed"),
    ]


def test_what_was_done_meanwhile_is_not_done_again(store: Store) -> None:
    """Another monitor was faster: under the run's lease it is looked at once more."""
    folder = left(store)
    asked: list[bool] = []

    class Late(Recorder):
        def resume(self, run: str, is_due: Callable[[RunRecord], bool]) -> bool:
            asked.append(is_due(folder.record()))
            LiveRun(folder).append(DriverLost(1))
            asked.append(is_due(folder.record()))
            LiveRun(folder).append(records.events(state=RunState.MET)[-1])
            LiveRun(folder).append(Published())
            asked.append(is_due(folder.record()))
            return False

    assert passed(store, FakeEngine(), Late()) == (True, [])
    assert asked == [True, False, False]


# --- pass after pass ---------------------------------------------------------------------------


class Enough(BaseException):
    """Ends a monitor that never ends."""


class Events:
    """An engine's events, as a test lets them happen."""

    def __init__(self) -> None:
        self.happens = threading.Semaphore(0)

    def wakeups(self) -> Iterator[None]:
        while True:
            self.happens.acquire()
            yield


class Counting(FakeEngine):
    """An engine that counts how often a monitor looks at it."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0
        self.is_enough = False

    def find(self, labels: Mapping[str, str]) -> Sequence[SandboxState]:
        self.looks += 1
        if self.is_enough:
            raise Enough
        return super().find(labels)


class Watching:
    """A monitor in a thread of its own, and what it says."""

    def __init__(
        self,
        store: Store,
        rescue: Rescue,
        deliver: Callable[[], Iterable[tuple[Action, str]]] = tuple,
    ) -> None:
        self.events, self.engine = Events(), Counting()
        self.told: list[tuple[What, str, str]] = []
        self._monitor = Monitor(store, self.engine, rescue, deliver)
        self._thread = threading.Thread(target=self._watch)

    @property
    def passes(self) -> int:
        return self.engine.looks

    def again(self) -> None:
        """Has it make another pass."""
        before = self.passes
        self.events.happens.release()
        until(lambda: self.passes > before)

    def _watch(self) -> None:
        with pytest.raises(Enough):
            self._monitor.watch(self.events, 3600.0, self._hear)

    def _hear(self, action: Action, error: str) -> None:
        self.told.append((action.what, action.subject, error))

    def __enter__(self) -> Watching:
        self._thread.start()
        until(lambda: self.passes)
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.is_enough = True
        self.events.happens.release()
        self._thread.join()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK", 0.02)


def test_the_loop_wakes_when_a_container_ends(store: Store, quick: None) -> None:
    with Watching(store, Recorder()) as watching:
        for _ in range(3):
            watching.again()


def test_the_loop_notices_a_driver_that_dies(store: Store) -> None:
    """Within two seconds, by the looks that the real monitor makes."""
    folder = left(store)

    def drive(pipe: Any) -> None:
        with folder.driving():
            pipe.send("driving")
            pipe.recv()

    rescue = Recorder()
    with other(drive) as driver:
        driver.hear()
        with Watching(store, rescue) as watching:
            assert rescue.done == []
            driver.kill()
            until(lambda: rescue.done, seconds=2.0)
            assert watching.told == [(What.RESUME, folder.id, "")]


def test_a_failure_that_stays_the_same_is_told_once(store: Store, quick: None) -> None:
    folder = left(store)
    folder.journal.write_bytes(b"damaged\n")
    with Watching(store, Recorder()) as watching:
        for _ in range(3):
            watching.again()
        assert [what for what, _, _ in watching.told] == [What.EXAMINE]
        folder.journal.unlink()
        for _ in range(2):
            watching.again()
        folder.journal.write_bytes(b"damaged again\n")
        watching.events.happens.release()
        until(lambda: len(watching.told) > 1)


def test_the_loop_survives_whatever_happens_to_the_folder_of_runs(
    store: Store, quick: None
) -> None:
    with Watching(store, Recorder()) as watching:
        store.home.mkdir()
        (store.home / "runs").write_text("a file")
        watching.events.happens.release()
        until(lambda: watching.told)
        (store.home / "runs").unlink()
        folder = left(store)
        until(lambda: (What.RESUME, folder.id, "") in watching.told)


def test_a_server_that_hangs_holds_up_no_run(store: Store, quick: None) -> None:
    has_begun, goes_on = threading.Event(), threading.Event()

    def deliver() -> Iterator[tuple[Action, str]]:
        has_begun.set()
        assert goes_on.wait(30)
        yield Action(What.DELIVER, "7f", "mail to ada"), ""

    rescue = Recorder()
    with Watching(store, rescue, deliver) as watching:
        assert has_begun.wait(30)
        folder = left(store)
        until(lambda: ("resume", folder.id) in rescue.done)
        assert What.DELIVER not in [what for what, _, _ in watching.told]
        goes_on.set()
        until(lambda: (What.DELIVER, "7f", "") in watching.told)
