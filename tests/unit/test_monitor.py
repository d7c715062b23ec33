"""What the monitor plans, and what it does about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.workshop import FakeWorkshop
from pushtrain import monitor
from pushtrain.cleaning import StoredRun
from pushtrain.entities import RunState
from pushtrain.errors import EngineUnreachable
from pushtrain.events import DriverLost
from pushtrain.interfaces import LABEL_RUN, SandboxState
from pushtrain.monitor import MOST_DRIVERS, Action, Monitor, What, plan
from pushtrain.run import Request, begin
from pushtrain.store import LiveRun, RunFolder, Store
from support import records
from support.repositories import FOREST, Repository

NOW = 1_000_000_000.0


def stored(
    run: str, *, over: bool = False, driven: bool = False, age: float = 60, lost: int = 0
) -> StoredRun:
    record = records.run(state=RunState.MET if over else RunState.TRAINING)
    record = replace(record, id=run, updated=NOW - age, drivers_lost=lost)
    if not over:
        record = replace(record, verdict=None)
    return StoredRun(RunFolder(run, Path("/runs") / run), record, driven)


def container(run: str) -> SandboxState:
    labels: Mapping[str, str] = {LABEL_RUN: run}
    return SandboxState(f"id-{run}", f"pushtrain-{run}-0", labels, True, None, False)


def told(*runs: StoredRun, containers: tuple[SandboxState, ...] = ()) -> list[tuple[What, str]]:
    return [(action.what, action.subject) for action in plan(runs, containers, NOW)]


def test_a_run_without_a_driver_gets_one() -> None:
    assert told(stored("a")) == [(What.RESUME, "a")]


@pytest.mark.parametrize("run", [stored("a", driven=True), stored("a", over=True)])
def test_a_run_that_is_worked_on_or_over_is_left_alone(run: StoredRun) -> None:
    assert told(run) == []


def test_a_run_that_has_just_begun_may_take_its_lock_first() -> None:
    assert told(stored("a", age=1)) == []


def test_a_damaged_run_is_passed_over() -> None:
    assert told(replace(stored("a"), record=None)) == []


def test_a_run_whose_drivers_keep_dying_is_given_up() -> None:
    assert told(stored("a", lost=MOST_DRIVERS - 1)) == [(What.RESUME, "a")]
    assert told(stored("a", lost=MOST_DRIVERS)) == [(What.GIVE_UP, "a")]


def test_only_containers_of_runs_that_are_over_and_ours_are_removed() -> None:
    runs = (stored("over", over=True), stored("left"), stored("driven", driven=True))
    all_of_them = tuple(container(run) for run in ("over", "left", "driven", "unknown"))
    removed = [s for what, s in told(*runs, containers=all_of_them) if what is What.REMOVE]
    assert removed == ["pushtrain-over-0"]


@given(
    st.lists(
        st.builds(
            stored,
            st.sampled_from("abcdef"),
            over=st.booleans(),
            driven=st.booleans(),
            age=st.floats(0, 1e6),
            lost=st.integers(0, 9),
        ),
        unique_by=lambda run: run.folder.id,
    ),
    st.lists(st.sampled_from("abcdefgh"), unique=True),
)
def test_whatever_has_happened_nothing_that_lives_is_touched(
    runs: list[StoredRun], labels: list[str]
) -> None:
    planned = plan(runs, [container(run) for run in labels], NOW)
    driven = {run.folder.id for run in runs if run.is_driven}
    unfinished = {run.folder.id for run in runs if run.record and run.record.verdict is None}
    for action in planned:
        run = action.subject.removeprefix("pushtrain-").removesuffix("-0")
        assert run not in driven
        assert (run in unfinished) == (action.what is not What.REMOVE)
    assert len({(a.what, a.subject) for a in planned}) == len(planned)


# --- a pass ------------------------------------------------------------------------------------


class _Engine:
    def __init__(self, *containers: SandboxState, away: bool = False) -> None:
        self.containers, self.away = list(containers), away

    def find(self, labels: Mapping[str, str]) -> list[SandboxState]:
        if self.away:
            raise EngineUnreachable("no engine", hint="start it")
        return self.containers

    def remove(self, name: str, *, grace: float = 0) -> None:
        self.containers = [each for each in self.containers if each.name != name]


def _abandoned(store: Store, place: Path, lost: int) -> RunFolder:
    repository = Repository(place)
    repository.pushed({"train.py": FOREST})
    live = begin(Request(str(repository.path)), store, progress=lambda line: None)
    live.append(DriverLost(lost))
    return live.folder


def test_a_run_that_is_given_up_is_judged_and_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "_GRACE", 0.0)
    workshop = FakeWorkshop(tmp_path / "home")
    folder = _abandoned(workshop.store, tmp_path, MOST_DRIVERS)
    published: list[str] = []
    delivered: list[bool] = []
    one = Monitor(
        workshop.store,
        _Engine(),  # type: ignore[arg-type]  # what a pass needs of an engine
        lambda live: published.append(live.id),
        lambda: delivered.append(True),
    )
    actions: list[Action] = []
    assert one.once(lambda action, error: actions.append(action))
    assert [action.what for action in actions] == [What.GIVE_UP]
    verdict = folder.record().verdict
    assert verdict is not None and verdict.state is RunState.FAILED
    assert "died" in verdict.reason
    assert (published, delivered) == ([folder.id], [True])
    actions.clear()
    assert one.once(lambda action, error: actions.append(action))
    assert actions == []


def test_without_an_engine_the_rest_is_done_and_the_pass_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "_GRACE", 0.0)
    workshop = FakeWorkshop(tmp_path / "home")
    folder = _abandoned(workshop.store, tmp_path, MOST_DRIVERS)
    one = Monitor(workshop.store, _Engine(away=True), lambda live: None, lambda: None)  # type: ignore[arg-type]
    errors: list[str] = []
    assert not one.once(lambda action, error: errors.append(error))
    assert any("no engine" in error for error in errors)
    assert folder.record().verdict is not None


def test_what_a_live_run_says_of_lost_drivers_is_counted(tmp_path: Path) -> None:
    workshop = FakeWorkshop(tmp_path / "home")
    folder = _abandoned(workshop.store, tmp_path, 2)
    assert LiveRun(folder).record.drivers_lost == 2
