"""What every searcher must do, held against the real one and a minimal one."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pushtrain.entities import (
    Cause,
    Choices,
    Epoch,
    Failure,
    Interval,
    Knob,
    KnobKind,
    KnobValues,
    Measurement,
    Objective,
    Role,
    TrialResult,
    TrialState,
)
from pushtrain.interfaces import Proposal, Searcher
from pushtrain.study import Memory, OptunaSearcher

OBJECTIVE = Objective("accuracy", 0.9)
UNITS = Knob(
    "units",
    KnobKind.INTEGER,
    "t.py",
    3,
    0,
    16,
    Interval(4, 64, log=True),
    "keras.layers.Dense.units",
)
RATE = Knob(
    "learning_rate",
    KnobKind.FLOAT,
    "t.py",
    4,
    0,
    0.000812345,
    Interval(1e-5, 0.1, log=True),
    "keras.optimizers.Adam.learning_rate",
)
SWITCH = Knob("nesterov", KnobKind.BOOLEAN, "t.py", 5, 0, False, Choices((False, True)), "x")
KNOBS = (UNITS, RATE, SWITCH)


def result(
    proposal: Proposal,
    value: float | None,
    *,
    state: TrialState = TrialState.COMPLETE,
    epochs: tuple[Epoch, ...] = (),
) -> TrialResult:
    measured = None
    if value is not None:
        measured = Measurement("accuracy", value, Role.HELD_OUT, "evaluate")
    failure = Failure(Cause.CRASH, "died") if state is TrialState.FAILED else None
    return TrialResult(
        proposal.number, state, proposal.values, 0, measured, (), epochs, failure, 0.1
    )


@dataclass
class EndlessSearcher:
    """The least that is a searcher: as pushed, then the first knob's range from below."""

    knobs: tuple[Knob, ...]
    tried: dict[int, KnobValues] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, refused: Sequence[KnobValues] = ()) -> Proposal | None:
        with self.lock:
            pushed = {knob.name: knob.value for knob in self.knobs}
            candidates = [pushed]
            for knob in self.knobs[:1]:
                assert isinstance(knob.range, Interval)
                ends = range(int(knob.range.low), int(knob.range.high) + 1)
                candidates += [{**pushed, knob.name: value} for value in ends]
            known = [*self.tried.values(), *refused]
            values = next((each for each in candidates if each not in known), None)
            if values is None:
                return None
            number = len(self.tried)
            self.tried[number] = values
            return Proposal(number, values, "search" if number else "as pushed")

    def should_prune(self, number: int, epoch: int, value: float) -> bool:
        return number > 0 and math.isnan(value)

    def tell(self, ended: TrialResult) -> None:
        with self.lock:
            self.tried[ended.number] = ended.values

    def importances(self) -> Mapping[str, float]:
        return {}


Make = Callable[[tuple[Knob, ...], Iterable[TrialResult]], Searcher]


@pytest.fixture(params=["optuna", "optuna with a memory", "endless"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Makes a searcher that has been told some results."""
    made = 0

    def create(knobs: tuple[Knob, ...], results: Iterable[TrialResult]) -> Searcher:
        nonlocal made
        made += 1
        if request.param == "endless":
            searcher = EndlessSearcher(knobs)
            for each in results:
                searcher.tell(each)
            return searcher
        memory = None
        if "memory" in request.param:
            memory = Memory(tmp_path / f"{made}" / "optuna.log", OBJECTIVE)
        return OptunaSearcher(knobs, OBJECTIVE, 7, memory, run="r", results=results)

    return create


def value_of(values: KnobValues) -> float:
    return 1 - abs(float(values["units"]) - 40) / 100


def ended(searcher: Searcher, count: int) -> list[TrialResult]:
    results = []
    for _ in range(count):
        proposal = searcher.ask()
        assert proposal is not None
        results.append(result(proposal, value_of(proposal.values)))
        searcher.tell(results[-1])
    return results


def test_the_code_as_pushed_is_trial_0(make: Make) -> None:
    proposal = make(KNOBS, ()).ask()
    assert proposal is not None
    assert (proposal.number, proposal.origin) == (0, "as pushed")
    assert proposal.values == {knob.name: knob.value for knob in KNOBS}


def test_numbers_count_up_and_values_stay_in_their_ranges_and_differ(make: Make) -> None:
    results = ended(make(KNOBS, ()), 25)
    assert [each.number for each in results] == list(range(25))
    assert len({repr(sorted(each.values.items())) for each in results}) == 25
    for each in results:
        units, rate = each.values["units"], each.values["learning_rate"]
        assert isinstance(units, int)
        assert 4 <= units <= 64
        assert isinstance(rate, float)
        assert 1e-5 <= rate <= 0.1
        assert each.values["nesterov"] in (True, False)


def test_the_same_results_give_the_same_proposals(make: Make) -> None:
    one, other = ended(make(KNOBS, ()), 14), ended(make(KNOBS, ()), 14)
    assert [each.values for each in one] == [each.values for each in other]


@pytest.mark.parametrize("until", [1, 5, 12])
def test_a_restart_in_the_middle_changes_nothing(make: Make, until: int) -> None:
    whole = ended(make(KNOBS, ()), until + 3)
    resumed = ended(make(KNOBS, whole[:until]), 3)
    assert [each.values for each in resumed] == [each.values for each in whole[until:]]


def test_proposals_asked_for_at_once_differ(make: Make) -> None:
    searcher = make(KNOBS, ())
    proposals = [searcher.ask() for _ in range(6)]
    assert len({repr(each.values) for each in proposals if each}) == 6


def test_threads_get_different_trials(make: Make) -> None:
    searcher = make(KNOBS, ())
    results: list[TrialResult] = []
    threads = [
        threading.Thread(target=lambda: results.extend(ended(searcher, 5))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each.number for each in results) == list(range(20))


def test_without_knobs_there_is_one_trial(make: Make) -> None:
    searcher = make((), ())
    first = searcher.ask()
    assert first is not None
    assert first.values == {}
    assert searcher.ask() is None


@pytest.mark.parametrize("state", [TrialState.FAILED, TrialState.PRUNED, TrialState.STOPPED])
def test_an_end_without_a_value_is_taken_in_stride(make: Make, state: TrialState) -> None:
    searcher = make(KNOBS, ())
    for _ in range(14):
        proposal = searcher.ask()
        assert proposal is not None
        searcher.tell(result(proposal, None, state=state))


def test_trial_0_is_never_pruned_and_a_diverged_trial_is(make: Make) -> None:
    searcher = make(KNOBS, ())
    for number in (0, 1):
        assert searcher.ask() is not None
        assert searcher.should_prune(number, 1, math.nan) is (number == 1)


def test_importances_are_shares_of_the_knobs_or_nothing(make: Make) -> None:
    searcher = make(KNOBS, ())
    assert searcher.importances() == {}
    ended(searcher, 25)
    shares = searcher.importances()
    assert set(shares) in (set(), {knob.name for knob in KNOBS})
    assert not shares or sum(shares.values()) == pytest.approx(1)
