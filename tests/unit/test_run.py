"""Whole runs, from a push to a Git repository to the verdict, with nothing faked but training."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fakes.trainer import FakeTrainer
from fakes.workshop import FakeWorkshop
from pushtrain import run as module
from pushtrain import training
from pushtrain.entities import (
    Budget,
    Cause,
    Detection,
    Direction,
    Failure,
    Image,
    ImagePlan,
    KnobValues,
    Objective,
    Role,
    RunState,
    TrialSpec,
    TrialState,
    Verdict,
    Wishes,
)
from pushtrain.errors import (
    EngineUnreachable,
    ImageError,
    JournalError,
    LeaseLost,
    PushtrainError,
    SandboxError,
    SourceError,
    TrainingError,
)
from pushtrain.events import (
    Entry,
    EpochEnded,
    Event,
    ImageReady,
    Judged,
    KnobsFound,
    Planned,
    Published,
    Reopened,
    RunStarted,
    StateChanged,
    StopRequested,
    TrialEnded,
    TrialStarted,
    Warned,
)
from pushtrain.journal import VERSION
from pushtrain.lease import Lease
from pushtrain.record import RunRecord
from pushtrain.run import Drive, Progress, Request, begin, begin_once, reopen, request_stop
from pushtrain.settings import GIB, ImageSettings, OperatorSettings
from pushtrain.store import LiveRun, RunFolder, Store
from support.disk import synced
from support.repositories import FOREST, RIDGE, Repository

PATIENT = 20.0


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "_POLL", 0.005)


@pytest.fixture(scope="module")
def forest(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A repository that no test pushes to."""
    repository = Repository(tmp_path_factory.mktemp("git"))
    repository.pushed({"train.py": FOREST})
    return repository


@pytest.fixture
def workshop(tmp_path: Path) -> FakeWorkshop:
    return FakeWorkshop(tmp_path / "home")


def quietly(line: str) -> None:
    """Progress that nobody reads."""


def started(
    workshop: FakeWorkshop, repository: Repository | Path, branch: str | None = None, **wishes: Any
) -> LiveRun:
    where = repository.path if isinstance(repository, Repository) else repository
    request = Request(str(where), branch=branch, wishes=Wishes(**wishes))
    return begin(request, workshop.store, progress=quietly)


def driven(workshop: FakeWorkshop, live: LiveRun) -> Verdict:
    with live.folder.driving() as lease:
        assert lease is not None
        verdict = Drive(live, workshop, quietly).to_verdict()
    assert all(trainer.is_closed for trainer in workshop.trainers)
    return verdict


def ran(
    workshop: FakeWorkshop, repository: Repository | Path, **wishes: Any
) -> tuple[Verdict, LiveRun]:
    live = started(workshop, repository, **wishes)
    return driven(workshop, live), live


def told(folder: RunFolder) -> list[Event]:
    events: list[Event] = []
    LiveRun(folder, (lambda entry, record: events.append(entry.event),), replay=True)
    return events


def program(tmp_path: Path, text: str = FOREST, settings: str = "") -> Path:
    """A plain directory with a program and its settings."""
    (tmp_path / "train.py").write_text(text)
    if settings:
        (tmp_path / "pushtrain.toml").write_text(settings)
    return tmp_path


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "program"
    path.mkdir()
    return path


# --- beginning ---------------------------------------------------------------------------------


def test_a_run_begins_with_the_pushed_tree(workshop: FakeWorkshop, forest: Repository) -> None:
    live = started(workshop, forest, "main", seed=3, trials=2)
    (event,) = told(live.folder)
    assert isinstance(event, RunStarted)
    assert event.push.repository == str(forest.path)
    assert event.push.commit == forest.git("rev-parse", "HEAD")
    assert (event.push.branch, event.push.is_own_directory) == ("main", False)
    assert event.wishes == Wishes(seed=3, trials=2)
    assert (live.folder.source / "train.py").read_text() == FOREST
    assert live.record.state is RunState.STARTED


@pytest.mark.parametrize("branch", ["it's", "-dash", "a;b", "main", "1" * 40])
def test_a_branch_is_found_by_any_name_also_beside_a_tag(
    workshop: FakeWorkshop, tmp_path: Path, branch: str
) -> None:
    repository = Repository(tmp_path)
    repository.pushed({"train.py": "a tag\n"})
    repository.push(f"HEAD:refs/tags/{branch}")
    commit = repository.pushed({"train.py": FOREST}, branch)
    push = started(workshop, repository, branch).record.push
    assert push is not None
    assert (push.commit, push.branch) == (commit, branch)


def test_a_branch_that_is_not_there_leaves_no_run(
    workshop: FakeWorkshop, forest: Repository
) -> None:
    with pytest.raises(SourceError, match="refs/heads/gone"):
        started(workshop, forest, "gone")
    assert workshop.store.folders() == ()


def test_what_is_pushed_into_an_own_directory_is_not_trusted_as_its_own(
    workshop: FakeWorkshop, forest: Repository
) -> None:
    by_hand = started(workshop, forest.clone).record.push
    pushed = started(workshop, forest.clone / ".git", "main").record.push
    assert by_hand is not None
    assert pushed is not None
    assert (by_hand.is_own_directory, pushed.is_own_directory) == (True, False)


def test_a_plain_directory_is_its_content(workshop: FakeWorkshop, directory: Path) -> None:
    one = started(workshop, program(directory)).record.push
    other = started(workshop, directory).record.push
    assert one == other
    assert one is not None
    assert one.commit.startswith("sha256:")
    assert one.is_own_directory


@pytest.mark.parametrize("repository", ["gone", "", "-x", "ftp://x/y"])
def test_what_cannot_be_read_leaves_no_run(workshop: FakeWorkshop, repository: str) -> None:
    with pytest.raises(SourceError):
        begin(Request(repository), workshop.store, progress=quietly)
    assert list((workshop.store.home / "runs").iterdir()) == []


def test_the_source_is_on_disk_before_the_run_has_begun(
    workshop: FakeWorkshop, forest: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    with synced(monkeypatch) as paths:
        folder = started(workshop, forest).folder
    source, entry, journal = (
        paths.index(path) for path in (folder.source, folder.source / "train.py", folder.journal)
    )
    assert entry < source < paths.index(folder.path) < journal


def test_a_source_that_the_disk_refuses_leaves_no_run(
    workshop: FakeWorkshop, forest: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "bring_to_disk", full)
    with pytest.raises(JournalError, match="No space left"):
        started(workshop, forest)
    assert not list((workshop.store.home / "runs").iterdir())


def test_an_interrupted_checkout_leaves_no_run(
    workshop: FakeWorkshop, forest: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "checkout", interrupted)
    with pytest.raises(KeyboardInterrupt):
        started(workshop, forest)
    assert list((workshop.store.home / "runs").iterdir()) == []


def test_what_was_left_out_of_the_tree_is_a_warning(
    workshop: FakeWorkshop, directory: Path
) -> None:
    (directory / "secret").symlink_to("/etc/passwd")
    live = started(workshop, program(directory))
    assert any("secret" in warning for warning in live.record.warnings)


def test_a_run_is_found_by_its_key_from_its_first_event_on(
    workshop: FakeWorkshop, forest: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is killed while a run begins leaves one that has its key, or none at all."""
    found: list[RunFolder | None] = []

    class Watched(LiveRun):
        def append(self, event: Event) -> RunRecord:
            found.append(workshop.store.by_key("k"))
            record = super().append(event)
            found.append(workshop.store.by_key("k"))
            return record

    monkeypatch.setattr(module, "LiveRun", Watched)
    folder = begin_once(Request(str(forest.path)), "k", workshop.store, progress=quietly)
    assert found == [None, folder]


def test_what_could_not_begin_does_not_keep_its_key(
    workshop: FakeWorkshop, forest: Repository, tmp_path: Path
) -> None:
    with pytest.raises(SourceError):
        begin_once(Request(str(tmp_path / "nothing")), "k", workshop.store, progress=quietly)
    folder = begin_once(Request(str(forest.path)), "k", workshop.store, progress=quietly)
    assert workshop.store.by_key("k") == folder


# --- one run per branch ------------------------------------------------------------------------


def test_a_newer_push_of_a_branch_asks_the_older_run_to_stop(
    workshop: FakeWorkshop, forest: Repository
) -> None:
    older, newer = (started(workshop, forest, "main") for _ in range(2))
    stop = older.refresh().stop
    assert stop is not None
    assert stop.superseded_by == newer.id
    assert newer.record.push is not None
    assert newer.record.push.short in stop.reason
    assert newer.record.stop is None
    verdict = driven(workshop, older)
    assert (verdict.state, verdict.exit_code) == (RunState.SUPERSEDED, 130)
    assert workshop.trained == []


def test_other_branches_repositories_and_finished_runs_are_left_alone(
    workshop: FakeWorkshop, tmp_path: Path
) -> None:
    repository, other = Repository(tmp_path), Repository(tmp_path, "other")
    for each in (repository, other):
        each.pushed({"train.py": FOREST})
        each.push("HEAD:refs/heads/dev")
    elsewhere = [started(workshop, repository, "dev"), started(workshop, other, "main")]
    finished = started(workshop, repository, "main", target=0.5)
    driven(workshop, finished)
    before = finished.folder.journal.read_bytes()
    started(workshop, repository, "main")
    assert [live.refresh().stop for live in elsewhere] == [None, None]
    assert finished.folder.journal.read_bytes() == before


def test_a_lane_takes_the_place_of_the_branch(workshop: FakeWorkshop, forest: Repository) -> None:
    """Two jobs of a build server may train one branch, and one job any commit."""
    plain = started(workshop, forest, "main")
    digits, strict = (started(workshop, forest, lane=lane) for lane in ("digits", "strict"))
    assert [live.refresh().stop for live in (plain, digits, strict)] == [None, None, None]
    newer = started(workshop, forest, lane="digits")
    stop = digits.refresh().stop
    assert stop is not None and stop.superseded_by == newer.id
    assert [live.refresh().stop for live in (plain, strict, newer)] == [None, None, None]


def test_lanes_of_repositories_are_their_own(workshop: FakeWorkshop, tmp_path: Path) -> None:
    repositories = Repository(tmp_path), Repository(tmp_path, "other")
    for each in repositories:
        each.pushed({"train.py": FOREST})
    older, _ = (started(workshop, each, lane="digits") for each in repositories)
    assert older.refresh().stop is None


def test_a_run_by_hand_stops_nobody(workshop: FakeWorkshop, forest: Repository) -> None:
    older = started(workshop, forest, "main")
    started(workshop, forest)
    assert older.refresh().stop is None


def test_a_damaged_run_does_not_stand_in_the_way(
    workshop: FakeWorkshop, forest: Repository
) -> None:
    damaged = started(workshop, forest, "main")
    damaged.folder.journal.write_bytes(b"damaged\n")
    assert started(workshop, forest, "main").record.stop is None


def test_a_push_that_was_overtaken_while_it_was_checked_out_gives_way(
    workshop: FakeWorkshop, forest: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer: list[LiveRun] = []
    checkout = module.checkout

    def slow(*arguments: Any, **options: Any) -> Any:
        if not newer:
            monkeypatch.setattr(module, "checkout", checkout)
            newer.append(started(workshop, forest, "main"))
        return checkout(*arguments, **options)

    monkeypatch.setattr(module, "checkout", slow)
    overtaken = started(workshop, forest, "main")
    assert newer[0].refresh().stop is None
    assert overtaken.record.stop is not None
    assert overtaken.record.stop.superseded_by == newer[0].id


def test_pushes_at_once_leave_exactly_the_newest_at_work(
    workshop: FakeWorkshop, forest: Repository
) -> None:
    threads = [threading.Thread(target=started, args=(workshop, forest, "main")) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    records = [folder.record() for folder in workshop.store.folders()]
    assert len(records) == 5
    assert [record.stop is None for record in records] == [True, False, False, False, False]


# --- to the verdict ----------------------------------------------------------------------------


def test_a_whole_run(workshop: FakeWorkshop, forest: Repository) -> None:
    verdict, live = ran(workshop, forest, target=0.9)
    assert (verdict.state, verdict.exit_code) == (RunState.MET, 0)
    assert verdict.objective == Objective("accuracy", 0.9)
    assert (verdict.value or 0) >= 0.9
    assert verdict.image == "pushtrain/sklearn-classical:1"
    assert verdict.best == verdict.trials - 1
    kinds = [type(event) for event in told(live.folder)]
    assert kinds[:5] == [RunStarted, Planned, StateChanged, ImageReady, StateChanged]
    assert kinds[5] is KnobsFound
    assert kinds[-2:] == [Judged, Published]
    assert kinds.count(TrialStarted) == kinds.count(TrialEnded) == verdict.trials
    assert workshop.published == [live.id]
    assert live.record.verdict == verdict
    assert not live.folder.is_driven


def test_trial_0_is_the_code_as_pushed_and_the_others_are_rewritten(
    workshop: FakeWorkshop, forest: Repository
) -> None:
    ran(workshop, forest, target=0.9)
    first, *others = (spec for trainer in workshop.trainers for spec in trainer.trained)
    assert first.changed == {}
    for spec in others:
        text = spec.changed["train.py"].decode()
        assert f"n_estimators={spec.values['n_estimators']}" in text
        assert f"max_depth={spec.values['max_depth']}" in text
    assert (workshop.store.folders()[0].source / "train.py").read_text() == FOREST


def test_a_budget_that_is_spent(workshop: FakeWorkshop, forest: Repository) -> None:
    verdict, _ = ran(workshop, forest, target=0.999, trials=2)
    assert (verdict.state, verdict.exit_code, verdict.trials) == (RunState.SPENT, 3, 2)
    assert "raise --trials" in verdict.reason


def test_flags_win_over_settings(workshop: FakeWorkshop, directory: Path) -> None:
    program(
        directory,
        settings='[objective]\nmetric = "f1"\ntarget = 0.5\n[budget]\ntrials = 7\ntime = "2m"\n',
    )
    _, live = ran(workshop, directory, trials=1, trial_seconds=9.0)
    assert live.record.objective == Objective("f1", 0.5)
    assert live.record.budget == Budget(1, 120.0, 9.0)
    _, live = ran(
        workshop, directory, metric="rmse", target=0.5, direction=Direction.MINIMIZE, trials=1
    )
    assert live.record.objective == Objective("rmse", 0.5, Direction.MINIMIZE)


def test_the_default_for_a_classifier(workshop: FakeWorkshop, forest: Repository) -> None:
    _, live = ran(workshop, forest)
    assert live.record.objective == Objective("accuracy", 0.8)
    assert live.record.budget == Budget(20, 3600.0, 1800.0)


def test_a_regression_without_a_target_is_a_usage_error_that_shows_how(
    workshop: FakeWorkshop, directory: Path
) -> None:
    verdict, live = ran(workshop, program(directory, RIDGE))
    assert (verdict.state, verdict.exit_code) == (RunState.FAILED, 2)
    assert verdict.error["error"] == "ObjectiveError"
    assert "pushtrain run REPO --metric" in verdict.reason
    assert live.folder.record().verdict == verdict
    assert (workshop.trained, workshop.published) == ([], [live.id])


def test_a_regression_with_a_target(workshop: FakeWorkshop, directory: Path) -> None:
    workshop.score = lambda values, seed: 0.5
    verdict, _ = ran(workshop, program(directory, RIDGE), metric="r2", target=0.4)
    assert verdict.state is RunState.MET


def test_code_that_trains_nothing_is_a_usage_error(workshop: FakeWorkshop, directory: Path) -> None:
    verdict, _ = ran(workshop, program(directory, "print('hello')\n"))
    assert (verdict.state, verdict.exit_code) == (RunState.FAILED, 2)
    assert "train" in verdict.reason


def test_wrong_settings_are_a_usage_error(workshop: FakeWorkshop, directory: Path) -> None:
    verdict, _ = ran(workshop, program(directory, settings="[budget]\ntrials = 0\n"))
    assert verdict.exit_code == 2
    assert "[budget.trials]" in verdict.reason


def test_what_a_pushed_repository_may_not_have_is_refused_before_anything_is_built(
    tmp_path: Path,
) -> None:
    repository = Repository(tmp_path)
    files = {"train.py": FOREST, "pushtrain.toml": "[limits]\nnetwork = true\n"}
    repository.pushed(files)
    workshop = FakeWorkshop(tmp_path / "home", build=(AssertionError("built"),))
    verdict, _ = ran(workshop, repository)
    assert (verdict.state, verdict.exit_code) == (RunState.FAILED, 2)
    assert verdict.error["allowance"] == "allow.network"
    allowing = FakeWorkshop(
        tmp_path / "home",
        operator=OperatorSettings.model_validate({"allow": {"network": [str(repository.path)]}}),
    )
    ran(allowing, repository, trials=1)
    assert allowing.grants[0].limits.network
    by_hand = FakeWorkshop(tmp_path / "home")
    ran(by_hand, repository, trials=1, network=True)
    assert by_hand.grants[0].limits.network


def test_what_is_wrong_with_its_knobs_is_told_before_anything_is_built(tmp_path: Path) -> None:
    source = program(tmp_path, settings="[knobs]\ninclude = ['dropout']\n")
    workshop = FakeWorkshop(tmp_path / "home", build=("Step 1", AssertionError("built")))
    verdict, live = ran(workshop, source)
    assert (verdict.state, verdict.error["error"]) == (RunState.FAILED, "KnobError")
    assert "dropout" in verdict.reason
    assert live.record.image is None


def test_what_is_wrong_with_its_knobs_is_told_without_a_build_as_well(tmp_path: Path) -> None:
    source = program(tmp_path, settings="[knobs]\ninclude = ['dropout']\n")
    workshop = FakeWorkshop(tmp_path / "home")
    verdict, live = ran(workshop, source)
    assert (verdict.state, verdict.error["error"]) == (RunState.FAILED, "KnobError")
    assert not live.record.origins


def test_parallel_workers_share_what_there_is(workshop: FakeWorkshop, forest: Repository) -> None:
    facts = replace(workshop.engine.facts(), memory=16 * GIB, cpus=8)
    workshop.engine.facts = lambda: facts  # type: ignore[method-assign]
    ran(workshop, forest, target=0.999, trials=6, parallel=3)
    assert len(workshop.trainers) == 3
    assert sorted(workshop.trained) == list(range(6))
    assert {grant.limits.memory for grant in workshop.grants} == {5 * GIB}
    assert {grant.limits.cpus for grant in workshop.grants} == {8 / 3}


def test_confirming_comes_from_the_flag_or_the_settings(
    workshop: FakeWorkshop, directory: Path
) -> None:
    program(directory, settings="[objective]\nconfirm = 2\n")
    verdict, live = ran(workshop, directory, target=0.7, seed=5)
    assert len(verdict.confirmed) == 2
    assert [result.seed for result in live.record.confirmations] == [6, 7]
    assert "2 other seeds: mean 0.7, spread 0" in verdict.reason
    verdict, _ = ran(workshop, directory, target=0.7, confirm=0)
    assert verdict.confirmed == ()


def test_a_winner_that_cannot_be_confirmed_met_the_target_all_the_same(
    workshop: FakeWorkshop, forest: Repository
) -> None:
    workshop.options = {"fail": lambda spec: SandboxError("gone") if spec.seed else None}
    verdict, live = ran(workshop, forest, target=0.7, confirm=2)
    assert (verdict.state, verdict.exit_code, verdict.confirmed) == (RunState.MET, 0, ())
    assert live.record.warnings == ("the winner could not be confirmed: gone",)


def test_a_target_met_on_training_data_only_is_not_met(
    workshop: FakeWorkshop, forest: Repository
) -> None:
    workshop.options = {"role": Role.TRAINING}
    verdict, live = ran(workshop, forest, target=0.5)
    assert (verdict.state, verdict.exit_code, verdict.value) == (RunState.SPENT, 3, None)
    assert verdict.reason in live.record.warnings


# --- what was learnt ---------------------------------------------------------------------------


def test_the_next_push_tries_what_was_learnt_first(tmp_path: Path) -> None:
    repository, workshop = Repository(tmp_path), FakeWorkshop(tmp_path / "home")
    repository.pushed({"train.py": FOREST})
    first, live = ran(workshop, repository, target=0.9)
    assert first.trials > 1
    winner = live.record.trials[first.best or 0].values
    repository.pushed({"README.md": "only words", "train.py": f"# a comment\n{FOREST}"})
    second, live = ran(workshop, repository, target=0.9)
    assert (second.state, second.trials) == (RunState.MET, 1)
    (result,) = live.record.trials.values()
    assert (result.number, result.values) == (1, winner)
    assert live.record.origins == {1: "learnt"}


def test_what_was_learnt_of_another_repository_does_not_count(tmp_path: Path) -> None:
    workshop = FakeWorkshop(tmp_path / "home")
    for name in ("one", "other"):
        repository = Repository(tmp_path, name)
        repository.pushed({"train.py": FOREST})
        _, live = ran(workshop, repository, target=0.9)
        assert live.record.origins[0] == "as pushed"


# --- errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        ImageError("the build failed", hint="look at the log", instruction="RUN x", tail=["a"]),
        EngineUnreachable("no answer", hint="start it"),
    ],
)
def test_an_image_that_cannot_be_had(
    workshop: FakeWorkshop, forest: Repository, error: PushtrainError
) -> None:
    workshop.build = ("step 1", error)
    verdict, live = ran(workshop, forest)
    assert (verdict.state, verdict.exit_code) == (RunState.FAILED, error.exit_code)
    assert verdict.error == error.as_json()
    assert verdict.reason == str(error)
    assert live.record.image is None


@pytest.mark.parametrize(
    "error", [SandboxError("gone"), EngineUnreachable("no answer"), TrainingError("no keras")]
)
@pytest.mark.parametrize("when", ["start", "train"])
def test_a_trainer_that_is_lost(
    workshop: FakeWorkshop, forest: Repository, error: PushtrainError, when: str
) -> None:
    workshop.options = (
        {"start_error": error}
        if when == "start"
        else {"fail": lambda spec: error if spec.number == 1 else None}
    )
    verdict, _ = ran(workshop, forest, target=0.999)
    assert (verdict.state, verdict.exit_code) == (RunState.FAILED, error.exit_code)
    assert verdict.value == (None if when == "start" else 0.7)


def test_an_error_of_the_script(workshop: FakeWorkshop, forest: Repository) -> None:
    failure = Failure(Cause.USER_ERROR, "KeyError: 'x'", "train.py", 5, "look at the data")
    workshop.options = {"fail": lambda spec: failure}
    verdict, _ = ran(workshop, forest)
    assert (verdict.state, verdict.exit_code, verdict.trials) == (RunState.FAILED, 1, 1)
    assert verdict.reason == "train.py:5: KeyError: 'x'; look at the data"


def test_a_defect_is_a_verdict_that_says_so(
    workshop: FakeWorkshop, forest: Repository, caplog: pytest.LogCaptureFixture
) -> None:
    workshop.build = (ZeroDivisionError("division by zero"),)
    verdict, _ = ran(workshop, forest)
    assert (verdict.state, verdict.exit_code) == (RunState.FAILED, 1)
    assert "unexpected ZeroDivisionError: division by zero" in verdict.reason
    assert "defect of pushtrain" in verdict.reason
    assert "Traceback" in caplog.text


def test_a_reader_that_went_away_does_not_end_the_run(
    workshop: FakeWorkshop, forest: Repository
) -> None:
    def gone(*_: object) -> None:
        raise BrokenPipeError

    workshop.build = ("step 1", "step 2")
    live = begin(Request(str(forest.path)), workshop.store, (gone,), quietly)
    assert Drive(live, workshop, gone).to_verdict().state is not RunState.FAILED


# --- building ----------------------------------------------------------------------------------


@pytest.mark.parametrize("lines", [(), ("Step 1/2", "Step 2/2")])
def test_the_build_is_heard_and_noted(
    workshop: FakeWorkshop, forest: Repository, lines: tuple[str, ...]
) -> None:
    heard: list[str] = []
    workshop.build = lines
    live = started(workshop, forest, target=0.5)
    Drive(live, workshop, heard.append).to_verdict()
    assert tuple(heard) == lines
    assert live.record.image_built is bool(lines)
    assert live.record.image is not None


class Asking(str):
    """A line of a build, at which somebody asks the run to stop."""

    __slots__ = ()


@pytest.mark.parametrize(
    ("request_", "state"),
    [
        (StopRequested("stopped by hand"), RunState.STOPPED),
        (StopRequested("newer", superseded_by="7f"), RunState.SUPERSEDED),
    ],
)
@pytest.mark.parametrize("when", ["before", "building", "training"])
def test_a_run_is_stopped_wherever_it_stands(
    workshop: FakeWorkshop,
    forest: Repository,
    request_: StopRequested,
    state: RunState,
    when: str,
) -> None:
    live = started(workshop, forest, target=0.999)

    def ask() -> None:
        LiveRun(live.folder).append(request_)

    def build(line: str) -> None:
        if line == "first":
            ask()

    def before_epoch(trainer: FakeTrainer, trial: int, epoch: int) -> None:
        if when == "training" and trial == 1:
            ask()
            assert trainer.stopping.wait(PATIENT)

    workshop.before_epoch = before_epoch
    workshop.build = ("first", "second", AssertionError("it went on")) if when == "building" else ()
    if when == "before":
        ask()
    verdict = Drive(live, workshop, build).to_verdict()
    assert (verdict.state, verdict.exit_code) == (state, 130)
    assert verdict.reason.startswith(request_.reason)
    assert workshop.trained == ([0, 1] if when == "training" else [])
    assert workshop.published == [live.id]


def test_an_interrupt_while_building_is_a_stop(workshop: FakeWorkshop, forest: Repository) -> None:
    workshop.build = (KeyboardInterrupt(),)
    verdict, live = ran(workshop, forest)
    assert (verdict.state, verdict.exit_code) == (RunState.STOPPED, 130)
    assert live.record.stop == StopRequested("stopped by hand")


def test_an_interrupt_while_training_closes_every_trainer(
    workshop: FakeWorkshop, forest: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    under_way = threading.Event()

    def before_epoch(trainer: FakeTrainer, trial: int, epoch: int) -> None:
        if trial == 1:
            under_way.set()
            assert trainer.stopping.wait(PATIENT)

    def interrupted(*_: object) -> None:
        assert under_way.wait(PATIENT)
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "wait", interrupted)
    workshop.before_epoch = before_epoch
    verdict, live = ran(workshop, forest, target=0.999)
    assert (verdict.state, verdict.exit_code, verdict.best) == (RunState.STOPPED, 130, 0)
    assert live.record.trials[1].state is TrialState.STOPPED
    assert workshop.published == [live.id]


def test_asking_a_run_to_stop(workshop: FakeWorkshop, forest: Repository) -> None:
    live = started(workshop, forest, target=0.5)
    assert request_stop(live.folder, "first")
    assert request_stop(live.folder, "second")
    assert live.refresh().stop == StopRequested("first")
    driven(workshop, live)
    before = live.folder.journal.read_bytes()
    assert not request_stop(live.folder, "too late")
    assert live.folder.journal.read_bytes() == before


# --- a driver that died ------------------------------------------------------------------------


def cut(folder: RunFolder, into: Store, entries: int) -> LiveRun:
    """The run as its driver left it when it died after so many entries of the journal."""
    path = into.home / "runs" / folder.id
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(folder.path, path)
    journal = path / "journal"
    lines = journal.read_bytes().splitlines(keepends=True)
    torn = lines[entries][:20] if entries < len(lines) else b""
    journal.write_bytes(b"".join(lines[:entries]) + torn)
    return LiveRun(RunFolder(folder.id, path))


def outcome(live: LiveRun) -> tuple[Any, ...]:
    record = live.record
    verdict = record.verdict
    assert verdict is not None
    trials = {n: replace(r, seconds=0.0, attempts=1) for n, r in sorted(record.trials.items())}
    return replace(verdict, seconds=0.0), trials, record.origins, record.running


def test_a_run_goes_on_from_wherever_its_driver_died(tmp_path: Path, forest: Repository) -> None:
    whole = FakeWorkshop(tmp_path / "whole")
    _, live = ran(whole, forest, target=0.9, confirm=1)
    expected, total = outcome(live), len(told(live.folder))
    assert total > 15
    for entries in range(1, total + 1):
        again = FakeWorkshop(tmp_path / "again")
        shutil.rmtree(again.store.home, ignore_errors=True)
        if (whole.store.home / "studies").exists():  # what was learnt outlives the driver
            shutil.copytree(whole.store.home / "studies", again.store.home / "studies")
        resumed = cut(live.folder, again.store, entries)
        finished = set(resumed.record.trials)
        under_way = set(resumed.record.running)
        driven(again, resumed)
        assert outcome(resumed) == expected, f"after {entries} entries"
        assert not finished & set(again.trained)
        assert under_way <= set(again.trained)
        starts = [e for e in told(resumed.folder) if isinstance(e, TrialStarted)]
        attempts = {e.trial: e.attempt for e in starts}
        assert attempts == {n: 2 if n in under_way else 1 for n in expected[2]}


def test_time_that_was_spent_counts_after_a_restart(tmp_path: Path, forest: Repository) -> None:
    whole = FakeWorkshop(tmp_path / "whole")
    _, live = ran(whole, forest, target=0.999, trials=8)
    ends = [i for i, event in enumerate(told(live.folder), 1) if isinstance(event, TrialEnded)]
    resumed = cut(live.folder, Store(tmp_path / "again"), ends[2])
    spent = sum(result.seconds for result in resumed.record.trials.values())
    assert spent > 1
    lines = resumed.folder.journal.read_text().splitlines()
    planned = next(event for event in told(resumed.folder) if isinstance(event, Planned))
    assert planned.budget.seconds == 3600
    assert len(lines) == ends[2] + 1
    again = FakeWorkshop(tmp_path / "again")
    resumed.append(replace(planned, budget=replace(planned.budget, seconds=spent)))
    verdict = driven(again, resumed)
    assert (verdict.state, verdict.exit_code) == (RunState.SPENT, 3)
    assert "raise --time" in verdict.reason
    assert (again.trained, again.trainers) == ([], again.trainers)
    assert not any(trainer.is_started for trainer in again.trainers)


def test_a_run_that_died_before_it_was_published_is_published(
    workshop: FakeWorkshop, forest: Repository
) -> None:
    live = started(workshop, forest, target=0.5)
    publish = workshop.publish

    def interrupted(_: LiveRun) -> None:
        raise KeyboardInterrupt

    workshop.publish = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        driven(workshop, live)
    workshop.publish = publish  # type: ignore[method-assign]
    trained = list(workshop.trained)
    verdict = driven(workshop, LiveRun(live.folder))
    assert verdict.state is RunState.MET
    assert workshop.published == [live.id]
    assert workshop.trained == trained


def test_an_interrupted_trial_has_cost_its_time(tmp_path: Path, forest: Repository) -> None:
    whole = FakeWorkshop(tmp_path / "whole")
    _, live = ran(whole, forest, target=0.999, trials=4)
    events = told(live.folder)
    epochs = [i for i, event in enumerate(events, 1) if isinstance(event, EpochEnded)]
    resumed = cut(live.folder, Store(tmp_path / "again"), epochs[7])
    assert len(resumed.record.running) == 1
    trained = [e.epoch.seconds for e in events[: epochs[7]] if isinstance(e, EpochEnded)]
    ended = sum(result.seconds for result in resumed.record.trials.values())
    done = sum(len(result.epochs) for result in resumed.record.trials.values())
    lost = sum(trained[done:])
    assert lost > 0
    assert resumed.record.seconds_trained == pytest.approx(ended + lost)
    planned = next(event for event in events if isinstance(event, Planned))
    resumed.append(replace(planned, budget=replace(planned.budget, seconds=ended + lost / 2)))
    again = FakeWorkshop(tmp_path / "again")
    verdict = driven(again, resumed)
    assert "raise --time" in verdict.reason
    assert again.trained == []


# --- who drives --------------------------------------------------------------------------------


def overtaken(live: LiveRun) -> None:
    """Another process takes the run over, here and now."""
    assert live.lease is not None
    Lease(live.folder.lease, live.lease.token + 1, "run").release()


def fenced(workshop: FakeWorkshop, live: LiveRun) -> list[Event]:
    """Drives a run that another process takes over; gives what it has written meanwhile."""
    before = len(told(live.folder))
    with live.folder.driving() as lease:
        mine = LiveRun(live.folder, lease=lease)
        workshop.live = mine
        with pytest.raises(LeaseLost, match="another process took over"):
            Drive(mine, workshop, quietly).to_verdict()
    assert all(trainer.is_closed for trainer in workshop.trainers)
    return told(live.folder)[before:]


def test_a_driver_that_was_overtaken_stops_and_judges_nothing(
    workshop: FakeWorkshop, forest: Repository
) -> None:
    live = started(workshop, forest, target=0.999)

    def before_epoch(trainer: FakeTrainer, trial: int, epoch: int) -> None:
        if (trial, epoch) == (1, 2):
            overtaken(workshop.live)

    workshop.before_epoch = before_epoch
    written = fenced(workshop, live)
    assert not any(isinstance(event, Judged | Published) for event in written)
    assert [e.trial for e in written if isinstance(e, TrialStarted)] == [0, 1]
    assert workshop.published == []


def test_a_driver_that_was_overtaken_while_its_trial_hangs_stops(
    workshop: FakeWorkshop, forest: Repository
) -> None:
    live = started(workshop, forest, target=0.999)

    def before_epoch(trainer: FakeTrainer, trial: int, epoch: int) -> None:
        if trial == 1:
            overtaken(workshop.live)
            assert trainer.stopping.wait(PATIENT)

    workshop.before_epoch = before_epoch
    assert not any(isinstance(event, Judged) for event in fenced(workshop, live))


def test_a_driver_that_was_overtaken_while_it_builds_stops(
    workshop: FakeWorkshop, forest: Repository
) -> None:
    live = started(workshop, forest)
    workshop.build = ("first", "second", AssertionError("it went on"))

    def progress(line: str) -> None:
        if line == "first":
            overtaken(workshop.live)

    with live.folder.driving() as lease:
        workshop.live = LiveRun(live.folder, lease=lease)
        with pytest.raises(LeaseLost):
            Drive(workshop.live, workshop, progress).to_verdict()
    assert workshop.published == []


def test_a_driver_that_was_overtaken_while_it_publishes_does_not_say_that_it_has(
    workshop: FakeWorkshop, forest: Repository
) -> None:
    live = started(workshop, forest, target=0.5)
    workshop.publish = overtaken  # type: ignore[method-assign]
    written = fenced(workshop, live)
    assert isinstance(written[-1], Judged)
    assert not live.refresh().is_published


def test_whoever_begins_a_run_holds_its_lease(workshop: FakeWorkshop, forest: Repository) -> None:
    standings = []

    def look(entry: Entry, record: RunRecord) -> None:
        standings.append(RunFolder(record.id, workshop.store.home / "runs" / record.id).is_driven)

    live = begin(Request(str(forest.path)), workshop.store, (look,), quietly)
    assert standings == [True]
    assert not live.folder.is_driven


# --- going on ----------------------------------------------------------------------------------


def stopped(workshop: FakeWorkshop, forest: Repository, at: int, **wishes: Any) -> LiveRun:
    """A run that was stopped by hand in the second epoch of a trial."""
    live = started(workshop, forest, target=0.9, **wishes)

    def before_epoch(trainer: FakeTrainer, trial: int, epoch: int) -> None:
        if (trial, epoch) == (at, 2):
            request_stop(live.folder, "by hand")
            assert trainer.stopping.wait(PATIENT)

    workshop.before_epoch = before_epoch
    assert driven(workshop, live).state is RunState.STOPPED
    workshop.before_epoch = lambda trainer, trial, epoch: None
    return live


def test_a_run_that_was_stopped_goes_on_as_if_it_never_was(
    tmp_path: Path, forest: Repository
) -> None:
    whole = FakeWorkshop(tmp_path / "whole")
    expected, other = ran(whole, forest, target=0.9)
    workshop = FakeWorkshop(tmp_path / "stopped")
    live = stopped(workshop, forest, at=2)
    assert live.record.trials[2].state is TrialState.STOPPED
    assert reopen(live)
    record = live.record
    assert (record.verdict, record.stop, record.is_published) == (None, None, False)
    assert (list(record.trials), list(record.running)) == ([0, 1], [2])
    before = list(workshop.trained)
    verdict = driven(workshop, live)
    assert replace(verdict, run="", seconds=0.0) == replace(expected, run="", seconds=0.0)
    assert workshop.trained[len(before) :] == whole.trained[2:]
    assert live.record.trials.keys() == other.record.trials.keys()
    starts = [e.attempt for e in told(live.folder) if isinstance(e, TrialStarted) and e.trial == 2]
    assert starts == [1, 2]
    assert workshop.published == [live.id, live.id]
    assert live.record.verdicts == 2


def test_the_time_of_what_was_stopped_counts(workshop: FakeWorkshop, forest: Repository) -> None:
    live = stopped(workshop, forest, at=2)
    spent = live.record.seconds_trained
    reopen(live)
    assert live.record.seconds_trained == pytest.approx(spent)


def test_a_run_whose_engine_was_gone_goes_on(workshop: FakeWorkshop, forest: Repository) -> None:
    workshop.build = (EngineUnreachable("no answer", hint="start it"),)
    verdict, live = ran(workshop, forest, target=0.9)
    assert (verdict.state, verdict.exit_code) == (RunState.FAILED, 4)
    workshop.build = ()
    assert reopen(live)
    assert driven(workshop, live).state is RunState.MET


def test_what_was_under_way_when_the_engine_went_is_trained_again(
    workshop: FakeWorkshop, forest: Repository
) -> None:
    live = started(workshop, forest, target=0.9)

    def away(trainer: FakeTrainer, trial: int, epoch: int) -> None:
        if trial == 1:
            raise EngineUnreachable("no answer", hint="start it")

    workshop.before_epoch = away
    assert driven(workshop, live).exit_code == 4
    assert (live.record.running, list(live.record.cut_off)) == ({}, [1])
    reopen(live)
    assert list(live.record.running) == [1]
    workshop.before_epoch = lambda trainer, trial, epoch: None
    assert driven(workshop, live).state is RunState.MET
    assert live.record.cut_off == {}


def test_a_run_that_has_its_verdict_for_good_is_not_reopened(
    workshop: FakeWorkshop, forest: Repository
) -> None:
    for wishes in ({"target": 0.5}, {"target": 0.999, "trials": 1}):
        _, live = ran(workshop, forest, **wishes)
        assert not reopen(live)
        before = told(live.folder)
        driven(workshop, live)
        assert told(live.folder) == before
    assert not any(isinstance(event, Reopened) for event in before)
    assert len(workshop.published) == 2


def test_a_run_without_a_verdict_need_not_be_reopened(
    workshop: FakeWorkshop, forest: Repository
) -> None:
    assert not reopen(started(workshop, forest))


def test_a_journal_that_cannot_be_written_is_an_error(
    workshop: FakeWorkshop, forest: Repository
) -> None:
    live = started(workshop, forest)
    live.folder.journal.unlink()
    live.folder.journal.mkdir()
    with pytest.raises(PushtrainError, match="journal"):
        Drive(live, workshop, quietly).to_verdict()


def test_every_event_of_a_run_is_valid_json(workshop: FakeWorkshop, forest: Repository) -> None:
    workshop.score = lambda values, seed: float("nan")
    _, live = ran(workshop, forest, trials=4)
    for line in live.folder.journal.read_text().splitlines():
        assert json.loads(line.partition(" ")[2])["v"] == VERSION


def test_nan_is_a_bad_trial_and_not_a_crash(workshop: FakeWorkshop, forest: Repository) -> None:
    def score(values: KnobValues, seed: int) -> float:
        return float("nan") if values["n_estimators"] == 10 else 0.95

    workshop.score = score
    verdict, live = ran(workshop, forest, target=0.9)
    assert (verdict.state, verdict.value) == (RunState.MET, 0.95)
    failure = live.record.trials[0].failure
    assert failure is not None
    assert failure.cause is Cause.NOT_A_NUMBER


def test_rejected_values_are_not_the_end(workshop: FakeWorkshop, forest: Repository) -> None:
    def fail(spec: TrialSpec) -> Failure | None:
        return Failure(Cause.USER_ERROR, "ValueError") if spec.number in (1, 2, 3) else None

    workshop.options = {"fail": fail}
    verdict, live = ran(workshop, forest, target=0.9, trials=40)
    assert verdict.state is RunState.MET
    causes = {r.failure.cause for r in live.record.trials.values() if r.failure}
    assert causes == {Cause.REJECTED}


def test_warnings_and_progress_default_to_the_terminal(
    workshop: FakeWorkshop, forest: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    workshop.build = ("step 1",)
    live = begin(Request(str(forest.path), wishes=Wishes(target=0.5)), workshop.store)
    Drive(live, workshop).to_verdict()
    assert capsys.readouterr().out == "step 1\n"
    assert not [event for event in told(live.folder) if isinstance(event, Warned)]


# --- an image that has to be made again --------------------------------------------------------


class Powerless(BaseException):
    """The machine loses its power."""


class Packing(FakeWorkshop):
    """A workshop whose images are named after what was added to them.

    Attributes:
        on_build: called with each plan that is built.
    """

    on_build: Callable[[ImagePlan], None] = staticmethod(lambda plan: None)

    def plan_image(self, detection: Detection, settings: ImageSettings, root: Path) -> ImagePlan:
        plain = super().plan_image(detection, settings, root)
        return replace(plain, tag="+".join((plain.tag, *settings.packages)))

    def build_image(self, plan: ImagePlan, on_line: Progress) -> Image:
        self.on_build(plan)
        return super().build_image(plan, on_line)


def lacking(workshop: FakeWorkshop, *modules: str) -> Callable[[TrialSpec], Failure | None]:
    """Trials that fail as long as the image lacks one of the modules."""

    def fail(spec: TrialSpec) -> Failure | None:
        image = workshop.live.record.image
        assert image is not None
        for one in modules:
            if one not in image.plan.tag:
                return Failure(Cause.MISSING_MODULE, f"imports {one}", subject=one)
        return None

    return fail


def packing(home: Path, forest: Repository, *modules: str) -> Packing:
    workshop = Packing(home)
    workshop.options = {"fail": lacking(workshop, *modules)}
    workshop.live = started(workshop, forest, trials=1)
    return workshop


def test_a_driver_that_dies_while_a_module_is_added_has_an_heir_that_adds_it(
    tmp_path: Path, forest: Repository
) -> None:
    workshop = packing(tmp_path / "home", forest, "xlrd")

    def die(plan: ImagePlan) -> None:
        if "xlrd" in plan.tag:
            raise Powerless

    workshop.on_build = die  # type: ignore[method-assign, assignment]
    with pytest.raises(Powerless):
        driven(workshop, workshop.live)
    workshop.on_build = lambda plan: None  # type: ignore[method-assign, assignment]
    workshop.live = LiveRun(workshop.live.folder)
    verdict = driven(workshop, workshop.live)
    assert verdict.state is RunState.SPENT, verdict.reason
    assert workshop.live.record.trials[0].state is TrialState.COMPLETE
    assert "xlrd" in (verdict.image or "")


@pytest.mark.parametrize("has_power", [True, False], ids=["driver", "heir"])
def test_a_module_that_cannot_be_had_leaves_the_image_as_it_was(
    has_power: bool, tmp_path: Path, forest: Repository
) -> None:
    workshop = packing(tmp_path / "home", forest, "xlrd")
    builds: list[str] = []

    def refuse(plan: ImagePlan) -> None:
        builds.append(plan.tag)
        if "xlrd" in plan.tag:
            if not has_power and len(builds) == 2:
                raise Powerless
            raise ImageError("there is no xlrd")

    workshop.on_build = refuse  # type: ignore[method-assign, assignment]
    if not has_power:
        with pytest.raises(Powerless):
            driven(workshop, workshop.live)
        workshop.live = LiveRun(workshop.live.folder)
    verdict = driven(workshop, workshop.live)
    assert verdict.state is RunState.FAILED
    assert "imports xlrd" in verdict.reason
    assert "xlrd" not in (verdict.image or "")


def test_a_journal_without_room_ends_the_driver_and_not_the_run(
    tmp_path: Path, forest: Repository
) -> None:
    workshop = FakeWorkshop(tmp_path / "home")
    live = started(workshop, forest, trials=1)
    is_full = [True]

    def before_epoch(trainer: FakeTrainer, trial: int, epoch: int) -> None:
        if is_full and epoch == 2:
            is_full.clear()
            raise JournalError("there is no room")

    workshop.before_epoch = before_epoch
    with pytest.raises(JournalError, match="no room"):
        driven(workshop, live)
    again = LiveRun(live.folder)
    assert again.record.verdict is None
    assert driven(workshop, again).state is RunState.SPENT
