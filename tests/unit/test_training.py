"""Trial after trial: what starts, what stops, what counts, and what a restart goes on with."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from fakes.trainer import FakeTrainer
from pushtrain import training as module
from pushtrain.attempts import Means
from pushtrain.entities import (
    Budget,
    Cause,
    Direction,
    Failure,
    Interval,
    Knob,
    KnobKind,
    KnobValues,
    Objective,
    Role,
    RunState,
    TrialResult,
    TrialSpec,
    TrialState,
    Wishes,
)
from pushtrain.errors import (
    EngineUnreachable,
    ImageError,
    KnobError,
    PushtrainError,
    SandboxError,
    TrainingError,
)
from pushtrain.events import (
    DataRead,
    DriverLost,
    EpochEnded,
    Event,
    ImageReady,
    KnobsFound,
    Planned,
    RunStarted,
    StopRequested,
    TrialEnded,
    TrialStarted,
    Warned,
)
from pushtrain.interfaces import Proposal
from pushtrain.processes import Process
from pushtrain.record import CONFIRMATION
from pushtrain.relaunch import Policy
from pushtrain.settings import RelaunchRule, RelaunchSettings
from pushtrain.store import LiveRun, Store
from pushtrain.study import OptunaSearcher
from pushtrain.training import (
    ALL_TRIED,
    ON_TRAINING_DATA,
    TIME_SPENT,
    TRIALS_SPENT,
    Study,
    Training,
)
from support import records
from support.training import LIMITS

KNOBS = (
    Knob("units", KnobKind.INTEGER, "t.py", 3, 0, 16, Interval(4, 64, log=True), "Dense.units"),
    Knob("rate", KnobKind.FLOAT, "t.py", 4, 0, 0.01, Interval(1e-5, 0.1, log=True), "Adam.rate"),
)
OUT_OF_REACH = Objective("accuracy", 2.0)
PATIENT = 20.0
"""Seconds after which a test that waits in vain fails."""


AT_ONCE = RelaunchSettings(longest_pause=0)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_POLL", 0.005)


def closeness(values: KnobValues, seed: int) -> float:
    """Best at 40 units; the code as pushed (16) gives 0.76."""
    return 1 - abs(float(values["units"]) - 40) / 100


@dataclass
class Bench:
    """A run whose trials are about to be trained, and everything that its trainers did."""

    home: Path
    score: Callable[[KnobValues, int], float] = closeness
    objective: Objective = OUT_OF_REACH
    trials: int = 6
    parallel: int = 1
    knobs: tuple[Knob, ...] = KNOBS
    trainer: dict[str, Any] = field(default_factory=dict)
    """Options of every FakeTrainer."""
    before_epoch: Callable[[FakeTrainer, int, int], None] = lambda trainer, trial, epoch: None
    seconds_left: Callable[[], float] = lambda: 1e9
    rules: RelaunchSettings = AT_ONCE
    most_memory: int = LIMITS.memory

    def __post_init__(self) -> None:
        self.trainers: list[FakeTrainer] = []
        self.images: list[str] = []
        self.store = Store(self.home / "home")
        self.live = LiveRun(self.store.create("x"))
        wishes = Wishes(parallel=self.parallel, seed=7)
        budget = Budget(self.trials, 1e9, 1e9)
        self.say(
            RunStarted(records.PUSH, "sha256:d", "1", wishes),
            Planned(records.DETECTION, self.objective, budget, records.PLAN),
            KnobsFound(self.knobs),
        )
        self.searcher = self.make_searcher()

    def say(self, *events: Event) -> None:
        for event in events:
            self.live.append(event)

    def make_searcher(self) -> OptunaSearcher:
        record = self.live.record
        return OptunaSearcher(
            self.knobs,
            self.objective,
            7,
            run=record.id,
            results=[r for n, r in record.trials.items() if record.origins[n] != CONFIRMATION],
            running={n: started.values for n, started in record.running.items()},
        )

    def restarted(self, **changes: Any) -> Bench:
        """The same run, as another process would take it up."""
        other = replace(self, **changes)
        other.live = LiveRun(self.live.folder)
        other.searcher = other.make_searcher()
        return other

    def make_trainer(self, index: int) -> FakeTrainer:
        made: list[FakeTrainer] = []
        trainer = FakeTrainer(
            self.live.folder.trials,
            self.objective,
            self.score,
            before_epoch=lambda trial, epoch: self.before_epoch(made[0], trial, epoch),
            **self.trainer,
        )
        made.append(trainer)
        self.trainers.append(trainer)
        return trainer

    def study(self) -> Study:
        return Study(self.searcher, rewritten)

    def training(self, make_study: Callable[[], Study] | None = None) -> Training:
        means = Means(self.make_trainer, Policy(self.rules, LIMITS, self.most_memory), self)
        return Training(self.live, make_study or self.study, means, self.seconds_left)

    def make_image(self, module: str) -> None:
        """See `pushtrain.attempts.Remedies`."""
        self.images.append(module)

    def train(self) -> module.Ending:
        with closing(self.training()) as training:
            ending = training.until_met()
        assert all(trainer.is_closed for trainer in self.trainers)
        return ending

    @property
    def results(self) -> list[TrialResult]:
        return [result for _, result in sorted(self.live.record.trials.items())]

    @property
    def trained(self) -> list[TrialSpec]:
        return [spec for trainer in self.trainers for spec in trainer.trained]

    def events(self, *kinds: type[Any]) -> list[Any]:
        entries: list[Event] = []
        LiveRun(self.live.folder, (lambda e, r: entries.append(e.event),), replay=True)
        return [event for event in entries if isinstance(event, kinds)]


def rewritten(values: KnobValues) -> Mapping[str, bytes]:
    if all(values[knob.name] == knob.value for knob in KNOBS if knob.name in values):
        return {}
    return {"t.py": repr(sorted(values.items())).encode()}


def failing(cause: Cause, *trials: int) -> Callable[[TrialSpec], Failure | None]:
    def fail(spec: TrialSpec) -> Failure | None:
        is_due = not trials or spec.number in trials
        return Failure(cause, "it said so", "t.py", 9) if is_due else None

    return fail


# --- the target --------------------------------------------------------------------------------


def test_the_target_met_at_once_is_one_trial_of_the_code_as_pushed(tmp_path: Path) -> None:
    bench = Bench(tmp_path, objective=Objective("accuracy", 0.7))
    assert bench.train().state is RunState.MET
    assert [spec.changed for spec in bench.trained] == [{}]
    (result,) = bench.results
    assert (result.number, result.value) == (0, 0.76)
    assert bench.live.record.origins == {0: "as pushed"}


def test_it_searches_until_the_target_is_met_and_no_further(tmp_path: Path) -> None:
    bench = Bench(tmp_path, objective=Objective("accuracy", 0.9), trials=40)
    assert bench.train().state is RunState.MET
    values = [result.value or 0 for result in bench.results]
    assert values[-1] >= 0.9
    assert all(value < 0.9 for value in values[:-1])
    assert 2 <= len(values) < 40
    assert len(bench.trained) == len(values)
    assert bench.trained[-1].changed == rewritten(bench.trained[-1].values)


def test_a_lower_metric_can_be_the_target(tmp_path: Path) -> None:
    objective = Objective("rmse", 0.1, Direction.MINIMIZE)
    bench = Bench(tmp_path, lambda v, s: 1 - closeness(v, s), objective, trials=40)
    assert bench.train().state is RunState.MET
    assert bench.live.record.best == bench.results[-1]
    assert (bench.results[-1].value or 1) <= 0.1


def test_the_target_met_stops_everything_in_flight_at_once(tmp_path: Path) -> None:
    others = threading.Barrier(3)

    def before_epoch(trainer: FakeTrainer, trial: int, epoch: int) -> None:
        if epoch == 1:
            others.wait(PATIENT)  # all three are under way
        if trial != 0:
            assert trainer.stopping.wait(PATIENT)

    bench = Bench(
        tmp_path,
        objective=Objective("accuracy", 0.76),
        parallel=3,
        before_epoch=before_epoch,
        trials=20,
    )
    assert bench.train().state is RunState.MET
    assert [r.state for r in bench.results] == [TrialState.COMPLETE] + [TrialState.STOPPED] * 2
    assert all(result.epochs == () for result in bench.results[1:])
    assert len(bench.events(TrialStarted)) == 3


def test_a_worker_that_is_still_starting_trains_nothing_after_the_target_is_met(
    tmp_path: Path,
) -> None:
    is_met = threading.Event()
    bench = Bench(tmp_path, objective=Objective("accuracy", 0.7), parallel=2)

    class Slow(FakeTrainer):
        def start(self) -> Mapping[str, str]:
            assert self.stopping.wait(PATIENT)
            is_met.set()
            return super().start()

    make = bench.make_trainer

    def make_trainer(index: int) -> FakeTrainer:
        if index == 0:
            return make(index)
        bench.trainers.append(Slow(bench.live.folder.trials, bench.objective, closeness))
        return bench.trainers[-1]

    bench.make_trainer = make_trainer  # type: ignore[method-assign]
    assert bench.train().state is RunState.MET
    assert is_met.is_set()
    assert len(bench.events(TrialStarted)) == 1


def test_a_value_on_training_data_is_refused_and_said_to_be(tmp_path: Path) -> None:
    bench = Bench(
        tmp_path, objective=Objective("accuracy", 0.7), trainer={"role": Role.TRAINING}, trials=9
    )
    assert bench.train().state is RunState.SPENT
    assert len(bench.results) == 1
    assert bench.live.record.warnings == (ON_TRAINING_DATA,)
    assert bench.live.record.best is None


def test_a_low_value_on_training_data_ends_it_too_without_that_warning(tmp_path: Path) -> None:
    bench = Bench(tmp_path, trainer={"role": Role.TRAINING})
    assert bench.train().state is RunState.SPENT
    assert (len(bench.results), bench.live.record.warnings) == (1, ())


@pytest.mark.parametrize("role", [role for role in Role if role.is_evidence])
def test_any_other_role_is_evidence(tmp_path: Path, role: Role) -> None:
    bench = Bench(tmp_path, objective=Objective("accuracy", 0.7), trainer={"role": role})
    assert bench.train().state is RunState.MET


# --- the budget --------------------------------------------------------------------------------


@pytest.mark.parametrize("parallel", [1, 3])
def test_the_trials_are_counted(tmp_path: Path, parallel: int) -> None:
    bench = Bench(tmp_path, trials=7, parallel=parallel)
    ending = bench.train()
    assert (ending.state, ending.spent) == (RunState.SPENT, TRIALS_SPENT)
    assert [result.number for result in bench.results] == list(range(7))
    assert {r.state for r in bench.results} <= {TrialState.COMPLETE, TrialState.PRUNED}
    assert len(bench.trainers) == parallel


def test_when_everything_was_tried_it_says_so(tmp_path: Path) -> None:
    bench = Bench(tmp_path, lambda values, seed: 0.5, knobs=(), trials=9)
    ending = bench.train()
    assert (ending.state, ending.spent) == (RunState.SPENT, ALL_TRIED)
    assert len(bench.results) == 1


def test_time_that_runs_out_stops_the_trial_under_way(tmp_path: Path) -> None:
    left = [1e9]

    def before_epoch(trainer: FakeTrainer, trial: int, epoch: int) -> None:
        if (trial, epoch) == (2, 2):
            left[0] = 0.0
            assert trainer.stopping.wait(PATIENT)

    bench = Bench(tmp_path, before_epoch=before_epoch, seconds_left=lambda: left[0])
    ending = bench.train()
    assert (ending.state, ending.spent) == (RunState.SPENT, TIME_SPENT)
    states = [result.state for result in bench.results]
    assert states == [TrialState.COMPLETE, TrialState.COMPLETE, TrialState.STOPPED]
    assert len(bench.results[-1].epochs) == 1


def test_without_any_time_nothing_starts(tmp_path: Path) -> None:
    bench = Bench(tmp_path, seconds_left=lambda: 0.0)
    assert bench.train().spent == TIME_SPENT
    assert bench.events(TrialStarted) == []
    assert not any(trainer.is_started for trainer in bench.trainers)


# --- trials that fail --------------------------------------------------------------------------


def test_an_error_of_the_code_as_pushed_is_final(tmp_path: Path) -> None:
    bench = Bench(tmp_path, trainer={"fail": failing(Cause.USER_ERROR)})
    ending = bench.train()
    assert ending.state is RunState.FAILED
    assert ending.failure is not None
    assert (ending.failure.cause, ending.failure.line) == (Cause.USER_ERROR, 9)
    assert len(bench.results) == 1


def test_an_error_with_other_values_rejects_them_and_the_search_goes_on(tmp_path: Path) -> None:
    bench = Bench(tmp_path, trainer={"fail": failing(Cause.USER_ERROR, 1, 2, 3, 4)}, trials=7)
    assert bench.train().state is RunState.SPENT
    causes = [result.failure and result.failure.cause for result in bench.results]
    assert causes == [None] + [Cause.REJECTED] * 4 + [None] * 2
    assert bench.results[1].failure == Failure(Cause.REJECTED, "it said so", "t.py", 9)


@pytest.mark.parametrize("cause", [Cause.DOWNLOAD, Cause.NO_VALUE])
@pytest.mark.parametrize("trial", [0, 3])
def test_what_no_other_value_can_cure_is_final(tmp_path: Path, cause: Cause, trial: int) -> None:
    bench = Bench(tmp_path, trainer={"fail": failing(cause, trial)})
    ending = bench.train()
    assert (ending.state, ending.failure and ending.failure.cause) == (RunState.FAILED, cause)
    assert len(bench.results) == trial + 1


@pytest.mark.parametrize(
    "cause",
    [Cause.OUT_OF_MEMORY, Cause.TIME_LIMIT, Cause.CRASH, Cause.BAD_OUTPUT],
)
def test_a_trial_that_failed_for_another_reason_costs_only_itself(
    tmp_path: Path, cause: Cause
) -> None:
    bench = Bench(tmp_path, trainer={"fail": failing(cause, 0, 2)})
    assert bench.train().state is RunState.SPENT
    assert len(bench.results) == 6
    assert [r.number for r in bench.results if r.failure] == [0, 2]


def test_three_trials_that_fail_alike_before_any_value_end_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path, trainer={"fail": failing(Cause.OUT_OF_MEMORY)}, trials=30)
    ending = bench.train()
    assert ending.state is RunState.FAILED
    assert len(bench.results) == 3


def test_trials_that_fail_differently_do_not(tmp_path: Path) -> None:
    def fail(spec: TrialSpec) -> Failure | None:
        return Failure((Cause.OUT_OF_MEMORY, Cause.CRASH)[spec.number % 2], "x")

    bench = Bench(tmp_path, trainer={"fail": fail}, trials=8)
    assert bench.train().state is RunState.SPENT
    assert len(bench.results) == 8


def test_a_value_that_is_not_a_number_is_a_bad_trial(tmp_path: Path) -> None:
    def score(values: KnobValues, seed: int) -> float:
        return math.nan if values["units"] == 16 else closeness(values, seed)

    bench = Bench(tmp_path, score, objective=Objective("accuracy", 0.9), trials=40)
    assert bench.train().state is RunState.MET
    failure = bench.results[0].failure
    assert failure is not None
    assert failure.cause is Cause.NOT_A_NUMBER
    assert bench.live.record.best == bench.results[-1]


def test_a_trial_that_falls_behind_is_ended_early(tmp_path: Path) -> None:
    class Strict(OptunaSearcher):
        def should_prune(self, number: int, epoch: int, value: float) -> bool:
            heard.append((number, epoch, value))
            return number == 2 and epoch == 2

    heard: list[tuple[int, int, float]] = []
    bench = Bench(tmp_path, lambda values, seed: 0.6, trials=4)
    bench.searcher = Strict(KNOBS, bench.objective, 7)
    bench.train()
    assert bench.results[2].state is TrialState.PRUNED
    assert len(bench.results[2].epochs) == 2
    assert heard[:3] == [(0, 1, pytest.approx(0.2)), (0, 2, pytest.approx(0.4)), (0, 3, 0.6)]
    assert bench.results[3].state is TrialState.COMPLETE


# --- stopping ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "state"),
    [
        (StopRequested("stopped by hand"), RunState.STOPPED),
        (StopRequested("newer", superseded_by="7f"), RunState.SUPERSEDED),
    ],
)
@pytest.mark.parametrize("parallel", [1, 2])
def test_another_process_can_stop_it(
    tmp_path: Path, request_: StopRequested, state: RunState, parallel: int
) -> None:
    def before_epoch(trainer: FakeTrainer, trial: int, epoch: int) -> None:
        if trial == 2 and epoch == 2:
            LiveRun(bench.live.folder).append(request_)
        if trial >= 2 and epoch >= 2:
            assert trainer.stopping.wait(PATIENT)

    bench = Bench(tmp_path, before_epoch=before_epoch, parallel=parallel, trials=50)
    assert bench.train().state is state
    assert bench.results[2].state is TrialState.STOPPED
    assert len(bench.results) <= 2 + parallel
    assert bench.live.record.running == {}


def test_a_run_that_was_asked_to_stop_before_starts_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    LiveRun(bench.live.folder).append(StopRequested("stopped by hand"))
    assert bench.train().state is RunState.STOPPED
    assert bench.events(TrialStarted) == []
    assert not any(trainer.is_started for trainer in bench.trainers)


def test_an_interrupt_ends_and_closes_every_trainer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    under_way = threading.Barrier(3)

    def before_epoch(trainer: FakeTrainer, trial: int, epoch: int) -> None:
        under_way.wait(PATIENT)
        assert trainer.stopping.wait(PATIENT)

    def interrupted(*_: object) -> None:
        under_way.wait(PATIENT)
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "wait", interrupted)
    bench = Bench(tmp_path, parallel=2, before_epoch=before_epoch)
    with pytest.raises(KeyboardInterrupt):
        bench.train()
    assert [trainer.is_closed for trainer in bench.trainers] == [True, True]
    assert [result.state for result in bench.results] == [TrialState.STOPPED] * 2


# --- workers that go away ----------------------------------------------------------------------


@pytest.mark.parametrize("error", [SandboxError("gone"), EngineUnreachable("no answer")])
def test_a_lost_worker_ends_the_others_and_is_told(tmp_path: Path, error: PushtrainError) -> None:
    under_way = threading.Event()

    def fail(spec: TrialSpec) -> PushtrainError | None:
        if spec.number == 0:
            return None
        assert under_way.wait(PATIENT)
        return error

    def before_epoch(trainer: FakeTrainer, trial: int, epoch: int) -> None:
        under_way.set()
        assert trainer.stopping.wait(PATIENT)

    bench = Bench(tmp_path, parallel=2, before_epoch=before_epoch, trainer={"fail": fail})
    with pytest.raises(type(error)) as caught:
        bench.train()
    assert caught.value is error
    assert all(trainer.is_closed for trainer in bench.trainers)
    assert bench.results[0].state is TrialState.STOPPED
    assert list(bench.live.record.running) == [1]


def test_a_worker_that_cannot_start_is_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path, trainer={"start_error": TrainingError("import keras failed")})
    with pytest.raises(TrainingError, match="import keras failed"):
        bench.train()
    assert bench.trainers[0].is_closed
    assert bench.events(TrialStarted) == []


def test_workers_start_while_the_study_is_made(tmp_path: Path) -> None:
    begun = threading.Event()

    @dataclass
    class Eager(Bench):
        def make_trainer(self, index: int) -> FakeTrainer:
            begun.set()
            return super().make_trainer(index)

    bench = Eager(tmp_path, trials=1)

    def make_study() -> Study:
        assert begun.wait(PATIENT)
        assert bench.events(TrialStarted) == []
        return bench.study()

    assert bench.training(make_study).until_met().state is RunState.SPENT
    assert len(bench.results) == 1


def test_without_a_study_the_workers_go_as_well(tmp_path: Path) -> None:
    bench = Bench(tmp_path, parallel=2)

    def make_study() -> Study:
        raise KnobError("no knob is called x")

    with pytest.raises(KnobError), closing(bench.training(make_study)) as training:
        training.until_met()
    assert all(trainer.is_closed for trainer in bench.trainers)
    assert bench.events(TrialStarted) == []


def test_a_worker_lost_after_the_target_was_met_does_not_undo_it(tmp_path: Path) -> None:
    under_way = threading.Event()

    def before_epoch(trainer: FakeTrainer, trial: int, epoch: int) -> None:
        if trial == 0:
            assert under_way.wait(PATIENT)
        else:
            under_way.set()
            assert trainer.stopping.wait(PATIENT)
            raise SandboxError("it ended badly")

    bench = Bench(
        tmp_path, objective=Objective("accuracy", 0.7), parallel=2, before_epoch=before_epoch
    )
    assert bench.train().state is RunState.MET
    assert bench.live.record.warnings == ("after the target was met: it ended badly",)


def test_a_defect_is_never_swallowed(tmp_path: Path) -> None:
    def score(values: KnobValues, seed: int) -> float:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Bench(tmp_path, score).train()


# --- what the journal keeps --------------------------------------------------------------------


def test_every_trial_is_in_the_journal_before_it_is_trained(tmp_path: Path) -> None:
    def before_epoch(trainer: FakeTrainer, trial: int, epoch: int) -> None:
        record = bench.live.folder.record()
        assert list(record.running) == [trial]
        assert len(record.epochs[trial]) == epoch - 1

    bench = Bench(tmp_path, before_epoch=before_epoch, trials=3)
    bench.train()
    started = bench.events(TrialStarted)
    assert [s.trial for s in started] == [0, 1, 2]
    assert {(s.seed, s.attempt) for s in started} == {(7, 1)}
    assert {spec.seed for spec in bench.trained} == {7}
    assert bench.live.record.planned_epochs == {0: 3, 1: 3, 2: 3}


def test_the_fingerprints_of_data_directories_are_noted_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path, trainer={"data": {"/data": "sha256:1"}}, parallel=3)
    bench.train()
    assert bench.events(DataRead) == [DataRead({"/data": "sha256:1"})]
    assert bench.live.record.warnings == ()


def test_data_that_changed_during_the_run_is_a_warning(tmp_path: Path) -> None:
    bench = Bench(tmp_path, trainer={"data": {"/data": "sha256:1"}})
    bench.say(DataRead({"/data": "sha256:0"}))
    bench.train()
    assert "changed during the run" in bench.live.record.warnings[0]
    assert bench.live.record.data_directories == {"/data": "sha256:1"}


# --- going on ----------------------------------------------------------------------------------


def died(
    bench: Bench, trial: int, otherwise: Callable[[TrialSpec], Failure | None] = lambda spec: None
) -> None:
    """Trains until the driver dies in the middle of a trial."""

    def fail(spec: TrialSpec) -> Failure | PushtrainError | None:
        is_due = spec.number == trial
        return SandboxError("the machine stopped") if is_due else otherwise(spec)

    bench.trainer = {"fail": fail}
    with pytest.raises(SandboxError):
        bench.train()
    bench.trainer = {}
    assert list(bench.live.record.running) == [trial]


@pytest.mark.parametrize("trial", [0, 1, 4, 11])
def test_a_run_taken_up_again_goes_on_as_if_nothing_had_happened(
    tmp_path: Path, trial: int
) -> None:
    whole = Bench(tmp_path / "whole", trials=14)
    whole.train()
    first = Bench(tmp_path / "died", trials=14)
    died(first, trial)
    second = first.restarted()
    ending = second.train()
    assert (ending.state, ending.spent) == (RunState.SPENT, TRIALS_SPENT)
    assert [spec.number for spec in second.trained] == list(range(trial, 14))
    assert [replace(r, attempts=1) for r in second.results] == whole.results
    assert [r.attempts for r in second.results if r.attempts > 1] == [2]
    assert second.live.record.origins == whole.live.record.origins


def test_an_interrupted_trial_is_trained_again_as_its_second_attempt(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    died(bench, 3)
    died(again := bench.restarted(), 3)
    last = again.restarted()
    last.train()
    attempts = [(s.attempt, s.values) for s in last.events(TrialStarted) if s.trial == 3]
    assert [attempt for attempt, _ in attempts] == [1, 2, 3]
    assert len({repr(values) for _, values in attempts}) == 1
    assert len(last.live.record.origins) == 6


def test_the_trials_of_before_count_against_the_budget(tmp_path: Path) -> None:
    bench = Bench(tmp_path, trials=4)
    bench.train()
    assert bench.restarted().train().spent == TRIALS_SPENT
    assert len(bench.live.folder.record().origins) == 4


def test_several_interrupted_trials_are_trained_again_by_as_many_workers(tmp_path: Path) -> None:
    bench = Bench(tmp_path, parallel=3, trials=6)
    for number in range(3):
        proposal = bench.searcher.ask()
        assert proposal is not None
        bench.say(TrialStarted(number, dict(proposal.values), 7, proposal.origin))
    bench = bench.restarted()
    bench.train()
    started = [(s.trial, s.attempt) for s in bench.events(TrialStarted)]
    assert sorted(started) == [(0, 1), (0, 2), (1, 1), (1, 2), (2, 1), (2, 2)] + [
        (n, 1) for n in (3, 4, 5)
    ]


# --- confirming --------------------------------------------------------------------------------


def by_seed(values: KnobValues, seed: int) -> float:
    return 0.95 if seed == 7 else 0.8 + seed / 100


def met(tmp_path: Path, **changes: Any) -> tuple[Bench, Training, TrialResult]:
    bench = Bench(tmp_path, by_seed, objective=Objective("accuracy", 0.9), **changes)
    training = bench.training()
    assert training.until_met().state is RunState.MET
    return bench, training, bench.results[0]


def confirm(bench: Bench, training: Training, winner: TrialResult, seeds: Sequence[int]) -> None:
    with closing(training):
        training.confirm(winner, seeds)
    assert all(trainer.is_closed for trainer in bench.trainers)


def test_the_winner_is_repeated_under_other_seeds(tmp_path: Path) -> None:
    bench, training, winner = met(tmp_path)
    confirm(bench, training, winner, [8, 9, 10])
    repeated = bench.live.record.confirmations
    assert [(r.number, r.seed, r.value) for r in repeated] == [
        (1, 8, pytest.approx(0.88)),
        (2, 9, pytest.approx(0.89)),
        (3, 10, pytest.approx(0.9)),
    ]
    assert all(result.values == winner.values for result in repeated)
    assert bench.live.record.best == winner
    assert len(bench.trainers) == 2


def test_confirming_nothing_starts_no_worker(tmp_path: Path) -> None:
    bench, training, winner = met(tmp_path)
    confirm(bench, training, winner, [])
    assert len(bench.trainers) == 1


def test_the_search_learns_nothing_from_a_confirmation(tmp_path: Path) -> None:
    told: list[int] = []

    class Listening(OptunaSearcher):
        def tell(self, result: TrialResult) -> None:
            told.append(result.number)

        def should_prune(self, number: int, epoch: int, value: float) -> bool:
            assert number == 0
            return False

    bench = Bench(tmp_path, by_seed, objective=Objective("accuracy", 0.9))
    bench.searcher = Listening(KNOBS, bench.objective, 7)
    training = bench.training()
    training.until_met()
    confirm(bench, training, bench.results[0], [8])
    assert told == [0]


def test_a_confirmation_that_was_interrupted_is_taken_up_again(tmp_path: Path) -> None:
    bench, training, winner = met(tmp_path)

    def fail(spec: TrialSpec) -> PushtrainError | None:
        return SandboxError("the machine stopped") if spec.seed == 9 else None

    bench.trainer = {"fail": fail}
    with pytest.raises(SandboxError):
        confirm(bench, training, winner, [8, 9, 10])
    bench = bench.restarted(trainer={})
    confirm(bench, bench.training(), winner, [8, 9, 10])
    assert [(s.trial, s.seed, s.attempt) for s in bench.events(TrialStarted)] == [
        (0, 7, 1),
        (1, 8, 1),
        (2, 9, 1),
        (2, 9, 2),
        (3, 10, 1),
    ]
    record = bench.live.record
    assert [result.seed for result in record.confirmations] == [8, 9, 10]
    assert (record.running, len(record.origins)) == ({}, 4)


def test_a_confirmation_can_be_stopped(tmp_path: Path) -> None:
    def before_epoch(trainer: FakeTrainer, trial: int, epoch: int) -> None:
        if trial == 1:
            LiveRun(bench.live.folder).append(StopRequested("enough"))
            assert trainer.stopping.wait(PATIENT)

    bench, training, winner = met(tmp_path)
    bench.before_epoch = before_epoch
    confirm(bench, training, winner, [8, 9])
    assert [result.state for result in bench.live.record.confirmations] == [TrialState.STOPPED]


def test_a_proposal_becomes_a_trial_with_its_own_number(tmp_path: Path) -> None:
    """Values that an earlier run learnt come before the code as pushed, as trial 1."""

    class Knowing(OptunaSearcher):
        def ask(self, refused: Sequence[KnobValues] = ()) -> Proposal | None:
            return Proposal(1, {"units": 40, "rate": 0.01}, "learnt")

    bench = Bench(tmp_path, objective=Objective("accuracy", 0.99))
    bench.searcher = Knowing(KNOBS, bench.objective, 7)
    assert bench.train().state is RunState.MET
    assert bench.live.record.origins == {1: "learnt"}


def test_events_of_a_run_are_in_their_order(tmp_path: Path) -> None:
    bench = Bench(tmp_path, trials=2)
    bench.train()
    kinds = [type(event) for event in bench.events(TrialStarted, TrialEnded, Warned, ImageReady)]
    assert kinds == [TrialStarted, TrialEnded] * 2


# --- attempts ----------------------------------------------------------------------------------


def failing_times(cause: Cause, times: int) -> Callable[[TrialSpec], Failure | None]:
    """Trial 1 fails so often, and then no more."""

    def fail(spec: TrialSpec) -> Failure | None:
        is_due = spec.number == 1 and spec.attempt <= times
        return Failure(cause, f"attempt {spec.attempt} {cause}", subject="xlrd") if is_due else None

    return fail


def test_a_killed_attempt_is_followed_by_one_that_goes_on(tmp_path: Path) -> None:
    undisturbed = Bench(tmp_path / "a")
    undisturbed.train()
    bench = Bench(tmp_path / "b", trainer={"fail": failing_times(Cause.KILLED, 2)})
    bench.train()
    attempts = [s for s in bench.events(TrialStarted) if s.trial == 1]
    assert [(s.attempt, s.resumes, s.worker) for s in attempts] == [
        (1, False, 0),
        (2, True, 0),
        (3, True, 0),
    ]
    result = bench.results[1]
    assert (result.attempts, result.state) == (3, TrialState.COMPLETE)
    assert result.notes == ("attempt 1: attempt 1 killed", "attempt 2: attempt 2 killed")
    assert [replace(r, attempts=1, notes=()) for r in bench.results] == undisturbed.results
    assert len(bench.trainers) == 1, "the worker itself is as good as before"


def test_more_memory_is_a_new_worker_and_stays_for_the_trials_after_it(tmp_path: Path) -> None:
    fail = failing_times(Cause.OUT_OF_MEMORY, 1)
    bench = Bench(tmp_path, trainer={"fail": fail}, most_memory=8 * LIMITS.memory)
    bench.train()
    assert len(bench.trainers) == 2 and bench.trainers[0].is_closed
    assert bench.live.record.memory == 2 * LIMITS.memory
    assert bench.results[1].state is TrialState.COMPLETE
    assert [spec.number for spec in bench.trainers[1].trained] == [1, 2, 3, 4, 5]


def test_a_smaller_batch_is_trained_and_told(tmp_path: Path) -> None:
    batch = replace(KNOBS[0], name="batch", value=32, api="keras.Model.fit.batch_size")
    fail = failing_times(Cause.OUT_OF_MEMORY, 1)
    bench = Bench(tmp_path, knobs=(*KNOBS, batch), trainer={"fail": fail})
    bench.train()
    before, after = (s for s in bench.events(TrialStarted) if s.trial == 1)
    assert after.values["batch"] == before.values["batch"] // 2
    assert bench.results[1].values == after.values
    assert "since memory is at its limit" in bench.results[1].notes[0]


BATCH = replace(KNOBS[0], name="batch", value=64, api="keras.Model.fit.batch_size")


def too_large(spec: TrialSpec) -> Failure | None:
    """There is memory for no more than 16 at once."""
    is_due = int(spec.values["batch"]) > 16
    return Failure(Cause.OUT_OF_MEMORY, "killed") if is_due else None


def test_the_code_as_pushed_is_trained_once_where_its_batch_had_to_shrink(tmp_path: Path) -> None:
    bench = Bench(tmp_path, knobs=(BATCH, *KNOBS), trainer={"fail": too_large}, trials=9)
    bench.train()
    started = [s for s in bench.events(TrialStarted) if s.trial == 0]
    assert [(s.attempt, s.values["batch"]) for s in started] == [(1, 64), (2, 32), (3, 16)]
    first = bench.results[0]
    assert (first.state, first.value, first.attempts) == (TrialState.COMPLETE, 0.76, 3)
    assert [result.number for result in bench.results] == list(range(9))
    exhausted = [sorted(spec.values.items()) for spec in bench.trained if too_large(spec)]
    assert all(exhausted.count(values) == 1 for values in exhausted), "nor what ran out of memory"


@pytest.mark.parametrize("trial", [1, 5])
def test_what_had_to_shrink_is_not_proposed_again_after_a_restart_either(
    tmp_path: Path, trial: int
) -> None:
    shrinks: dict[str, Any] = {"knobs": (BATCH, *KNOBS), "trials": 9}
    whole = Bench(tmp_path / "whole", trainer={"fail": too_large}, **shrinks)
    whole.train()
    first = Bench(tmp_path / "died", **shrinks)
    died(first, trial, too_large)
    second = first.restarted(trainer={"fail": too_large})
    second.train()
    assert [r.values for r in second.results] == [r.values for r in whole.results]


@pytest.mark.parametrize(
    ("cause", "made"), [(Cause.IMAGE_MISSING, [""]), (Cause.MISSING_MODULE, ["xlrd"])]
)
def test_the_image_is_made_again(tmp_path: Path, cause: Cause, made: list[str]) -> None:
    bench = Bench(tmp_path, trainer={"fail": failing_times(cause, 1)})
    bench.train()
    assert bench.images == made
    assert len(bench.trainers) == 2
    assert bench.results[1].state is TrialState.COMPLETE


def test_a_module_that_cannot_be_had_is_the_trials_failure(tmp_path: Path) -> None:
    missing = Failure(Cause.MISSING_MODULE, "imports xlrd", subject="xlrd")
    bench = Bench(tmp_path, trainer={"fail": lambda spec: missing})

    def make_image(module: str) -> None:
        raise ImageError(f"there is no {module}")

    bench.make_image = make_image  # type: ignore[method-assign]
    ending = bench.train()
    assert (ending.state, ending.failure) == (RunState.FAILED, missing)
    assert any("cannot be added to the image" in w for w in bench.live.record.warnings)


def test_a_crash_loop_ends_the_run_with_its_cause(tmp_path: Path) -> None:
    bench = Bench(tmp_path, trainer={"fail": failing(Cause.KILLED)}, trials=30)
    ending = bench.train()
    assert ending.state is RunState.FAILED
    assert ending.failure is not None and ending.failure.cause is Cause.KILLED
    assert bench.live.record.in_vain == AT_ONCE.breaker
    assert len(bench.events(TrialStarted)) == AT_ONCE.breaker


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (EngineUnreachable("no answer"), Cause.ENGINE_GONE),
        (SandboxError("no such container", status=404), Cause.KILLED),
        (SandboxError("died at once", cause=Cause.OUT_OF_MEMORY), Cause.OUT_OF_MEMORY),
        (
            SandboxError("it fails", status=500, reason="write x: no space left on device"),
            Cause.DISK_FULL,
        ),
        (SandboxError("it fails", status=503, reason="busy"), Cause.ENGINE_GONE),
        (SandboxError("it fails", status=500, reason="context canceled"), Cause.ENGINE_GONE),
        (SandboxError("it fails", status=500, reason="OCI runtime error"), Cause.KILLED),
    ],
)
def test_a_worker_that_comes_back_costs_nothing(
    tmp_path: Path, error: PushtrainError, cause: Cause
) -> None:
    gone = [error, error]

    def fail(spec: TrialSpec) -> PushtrainError | None:
        return gone.pop() if gone and spec.number == 2 else None

    bench = Bench(tmp_path, trainer={"fail": fail}, most_memory=9 * LIMITS.memory)
    assert bench.train().state is RunState.SPENT
    assert bench.results[2].attempts == 3
    assert [one.failure.cause for one in bench.live.record.failed_attempts[2]] == [cause] * 2


def test_a_stop_ends_the_pause_before_an_attempt(tmp_path: Path) -> None:
    rules = RelaunchSettings(engine_gone=RelaunchRule(attempts=9, pause=3600), longest_pause=3600)
    bench = Bench(
        tmp_path, rules=rules, trainer={"fail": lambda spec: EngineUnreachable("no answer")}
    )
    bench.live.append(TrialStarted(0, {}, 7, "as pushed"))
    other = LiveRun(bench.live.folder)
    threading.Timer(0.05, lambda: other.append(StopRequested("by hand"))).start()
    assert bench.restarted().train().state is RunState.STOPPED


def test_an_interrupted_trial_goes_on_where_its_worker_was(tmp_path: Path) -> None:
    bench = Bench(tmp_path, parallel=2, trials=2)
    bench.live.append(TrialStarted(0, {"units": 16, "rate": 0.01}, 7, "as pushed", worker=1))
    again = bench.restarted()
    again.train()
    (attempt,) = (s for s in again.events(TrialStarted) if s.attempt == 2)
    assert (attempt.trial, attempt.worker, attempt.resumes) == (0, 1, True)


@pytest.mark.parametrize(
    ("boot", "cause"), [(Process.this().boot, Cause.DRIVER_GONE), ("other", Cause.MACHINE_GONE)]
)
def test_an_attempt_whose_driver_is_gone_is_told(tmp_path: Path, boot: str, cause: Cause) -> None:
    bench = Bench(tmp_path, trials=1)
    bench.live.append(TrialStarted(0, {"units": 16, "rate": 0.01}, 7, "as pushed"))
    again = bench.restarted()
    with again.live.folder.driving() as lease:
        assert lease is not None and lease.heir_of is None
        lease.heir_of = replace(Process.this(), boot=boot, pid=77, host="there")
        again.live = LiveRun(again.live.folder, lease=lease)
        again.train()
    (failed,) = again.live.record.failed_attempts[0]
    assert failed.failure.cause is cause
    assert "its driver is gone (process 77 on there)" in again.results[0].notes[0]
    assert again.results[0].attempts == 2


def test_an_attempt_whose_driver_the_monitor_replaced_is_told(tmp_path: Path) -> None:
    """It took the lease itself to say so, so that the new driver is nobody's heir."""
    bench = Bench(tmp_path, trials=1)
    bench.live.append(TrialStarted(0, {"units": 16, "rate": 0.01}, 7, "as pushed"))
    bench.live.append(DriverLost(1, replace(Process.this(), pid=77, host="there")))
    again = bench.restarted()
    again.train()
    (failed,) = again.live.record.failed_attempts[0]
    assert failed.failure.cause is Cause.DRIVER_GONE


def test_what_an_attempt_says_again_is_written_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path, trials=1)
    bench.live.append(TrialStarted(0, {"units": 16, "rate": 0.01}, 7, "as pushed"))
    trainer = bench.make_trainer(0)
    first = trainer._epoch(TrialSpec(0, {"units": 16}, 7), 1)
    bench.live.append(EpochEnded(0, first, 3))
    bench.restarted().train()
    said = [e.epoch.number for e in bench.restarted().events(EpochEnded) if e.trial == 0]
    assert said == [1, 2, 3]
