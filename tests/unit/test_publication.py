"""What a finished run leaves: written whole, the same at every repetition, whatever else fails."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fakes.trainer import FakeTrainer
from fakes.workshop import FakeWorkshop
from pushtrain import publication as module
from pushtrain.entities import RunState, Verdict, Wishes
from pushtrain.errors import DeliveryError, LeaseLost, PublicationError, SourceError
from pushtrain.events import Event, PatchCommitted, TrialEnded, Warned
from pushtrain.lease import Lease
from pushtrain.record import RunRecord
from pushtrain.run import Drive, Request, begin, reopen, request_stop
from pushtrain.store import LiveRun, RunFolder
from pushtrain.telling.summary import summarise
from support.disk import synced
from support.repositories import FOREST, RIDGE, Repository


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the runs that people were told of; pictures are not drawn here."""
    heard: list[str] = []

    def write_report(record: RunRecord, folder: Path, **facts: Any) -> Path:
        page = RunFolder(record.id, folder).report
        page.parent.mkdir(exist_ok=True)
        page.write_bytes(facts["patch"] or b"nothing changed")
        return page

    monkeypatch.setattr(module, "write_report", write_report)
    monkeypatch.setattr(module, "tell", lambda live, operator: heard.append(live.id))
    return heard


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path)
    made.pushed({"train.py": FOREST})
    return made


@pytest.fixture
def workshop(tmp_path: Path, told: list[str]) -> FakeWorkshop:
    return FakeWorkshop(tmp_path / "home", publishes=True)


def ran(workshop: FakeWorkshop, repository: Repository, **wishes: Any) -> tuple[Verdict, LiveRun]:
    request = Request(str(repository.path), branch="main", wishes=Wishes(**wishes))
    live = begin(request, workshop.store, progress=lambda line: None)
    return Drive(live, workshop, lambda line: None).to_verdict(), live


def events(live: LiveRun, kind: type[Any]) -> list[Any]:
    heard: list[Event] = []
    LiveRun(live.folder, (lambda entry, record: heard.append(entry.event),), replay=True)
    return [event for event in heard if isinstance(event, kind)]


def files(folder: RunFolder) -> dict[str, bytes]:
    paths = (path for path in folder.path.rglob("*") if path.is_file())
    ignored = {"journal", "junit.xml"}
    return {
        str(path.relative_to(folder.path)): path.read_bytes()
        for path in paths
        if path.name not in ignored
    }


def test_a_run_that_met_its_target_leaves_everything(
    workshop: FakeWorkshop, repository: Repository, told: list[str]
) -> None:
    verdict, live = ran(workshop, repository, target=0.9)
    folder = live.folder
    best = live.record.trials[verdict.best or 0]
    model = json.loads((folder.model / "model.json").read_text())
    assert model == {"seed": 0, "values": dict(best.values)}
    assert json.loads(folder.manifest.read_text())
    assert "testsuite" in folder.junit.read_text()
    subprocess.run(["git", "apply", str(folder.patch)], cwd=repository.clone, check=True)
    assert (
        f"n_estimators={best.values['n_estimators']}" in (repository.clone / "train.py").read_text()
    )
    assert told == [live.id]
    assert live.record.warnings == ()


def test_only_the_best_trials_files_are_kept_and_every_log(
    workshop: FakeWorkshop, repository: Repository
) -> None:
    verdict, live = ran(workshop, repository, target=0.9, confirm=1)
    kept = {path.parts[-4] for path in live.folder.trials.glob("*/out/model/model.json")}
    assert kept == {str(verdict.best)}
    logs = {path.parent.name for path in live.folder.trials.glob("*/log.txt")}
    assert logs == {str(number) for number in live.record.trials}


def test_publishing_again_gives_the_same_again(
    workshop: FakeWorkshop, repository: Repository
) -> None:
    _, live = ran(workshop, repository, target=0.9, commit=True)
    before, branches = files(live.folder), repository.git("branch", cwd=repository.path)
    workshop.publication.publish(LiveRun(live.folder))
    assert files(live.folder) == before
    assert repository.git("branch", cwd=repository.path) == branches
    assert len(events(live, PatchCommitted)) == 1


def test_a_verdict_after_another_one_has_its_own_model(
    workshop: FakeWorkshop, repository: Repository
) -> None:
    """A run that was stopped has published its best so far, and goes on to a better one."""

    def before_epoch(trainer: FakeTrainer, trial: int, epoch: int) -> None:
        if trial == 1:
            request_stop(workshop.live.folder, "by hand")
            assert trainer.stopping.wait(20)

    request = Request(str(repository.path), wishes=Wishes(target=0.9))
    live = workshop.live = begin(request, workshop.store, progress=lambda line: None)
    workshop.before_epoch = before_epoch
    assert Drive(live, workshop, lambda line: None).to_verdict().best == 0
    first = (live.folder.model / "model.json").read_bytes()
    workshop.before_epoch = lambda trainer, trial, epoch: None
    assert reopen(live)
    verdict = Drive(live, workshop, lambda line: None).to_verdict()
    assert verdict.state is RunState.MET
    model = (live.folder.model / "model.json").read_bytes()
    assert model != first
    best = live.record.trials[verdict.best or 0]
    assert json.loads(model)["values"] == dict(best.values)


def test_a_publication_that_was_overtaken_stops_at_once(
    workshop: FakeWorkshop, repository: Repository, told: list[str]
) -> None:
    _, live = ran(workshop, repository, target=0.5)
    told.clear()
    live.folder.junit.unlink()
    with live.folder.driving() as lease:
        assert lease is not None
        mine = LiveRun(live.folder, lease=lease)
        Lease(live.folder.lease, lease.token + 1, "run").release()
        before = live.folder.journal.read_bytes()
        with pytest.raises(LeaseLost):
            workshop.publication.publish(mine)
    assert live.folder.journal.read_bytes() == before
    assert not live.folder.junit.exists()
    assert told == []


def test_the_code_as_pushed_leaves_an_empty_patch(
    workshop: FakeWorkshop, repository: Repository
) -> None:
    _, live = ran(workshop, repository, target=0.5, commit=True)
    assert live.folder.patch.read_bytes() == b""
    assert (live.folder.model / "model.json").exists()
    assert events(live, PatchCommitted) == []


def test_a_smaller_batch_of_the_code_as_pushed_is_a_change_like_any_other(
    workshop: FakeWorkshop, repository: Repository
) -> None:
    """Trial 0 ends with other values where a remedy gave it some: its model came of those."""
    verdict, live = ran(workshop, repository, target=0.5)
    assert verdict.best == 0 and live.folder.patch.read_bytes() == b""
    shrunk = replace(live.record.trials[0], values={"n_estimators": 5})
    live.append(TrialEnded(shrunk))
    workshop.publication.publish(live)
    assert b"+model = RandomForestClassifier(n_estimators=5" in live.folder.patch.read_bytes()
    manifest = json.loads(live.folder.manifest.read_text())
    assert list(manifest["changed"]) == ["train.py"]
    assert "pushtrain patch" in summarise(live.record).next_step


def test_a_run_that_trained_nothing_tells_people_all_the_same(
    workshop: FakeWorkshop, repository: Repository, told: list[str]
) -> None:
    repository.pushed({"train.py": RIDGE})
    verdict, live = ran(workshop, repository)
    assert verdict.state is RunState.FAILED
    assert not live.folder.model.exists()
    assert not live.folder.manifest.exists()
    assert live.folder.patch.read_bytes() == b""
    assert live.folder.junit.exists()
    assert live.folder.report.exists()
    assert told == [live.id]
    assert live.record.warnings == ()


def test_the_patch_is_committed_on_request_with_what_it_changes(
    workshop: FakeWorkshop, repository: Repository
) -> None:
    workshop.score = lambda values, seed: 0.95 if values["n_estimators"] != 10 else 0.5
    verdict, live = ran(workshop, repository, target=0.9, commit=True)
    branch = live.record.tuned_branch
    assert branch is not None
    assert live.record.push is not None
    assert branch.startswith("pushtrain/tuned/")
    best = live.record.trials[verdict.best or 0]
    pushed = {knob.name: knob.value for knob in live.record.knobs}
    changed = sorted(name for name, value in best.values.items() if value != pushed[name])
    message = repository.git("log", "-1", "--format=%B", branch, cwd=repository.path)
    assert message.startswith(f"Tune {', '.join(changed)} for accuracy >= 0.9\n")
    assert f"pushtrain run {live.id}, trial {verdict.best}: accuracy 0.95" in message
    parent = repository.git("rev-parse", f"{branch}^", cwd=repository.path)
    assert parent == live.record.push.commit
    assert repository.git("rev-parse", "main", cwd=repository.path) == parent


@pytest.mark.parametrize(
    "error", [SourceError("x", hint="y"), OSError("disk"), ZeroDivisionError("oh")]
)
@pytest.mark.parametrize(
    "step", ["patch", "write_manifest", "commit_patch", "write_junit", "write_report"]
)
def test_a_step_that_fails_is_a_warning_and_the_others_go_on(
    workshop: FakeWorkshop,
    repository: Repository,
    monkeypatch: pytest.MonkeyPatch,
    told: list[str],
    step: str,
    error: Exception,
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(module, step, failing)
    verdict, live = ran(workshop, repository, target=0.9, commit=True)
    assert (verdict.state, verdict.exit_code) == (RunState.MET, 0)
    warnings = [event.message for event in events(live, Warned)]
    assert warnings
    assert all(str(error) in message for message in warnings)
    assert (live.folder.model / "model.json").exists()
    missing = {
        "patch": {"patch", "report"},
        "write_manifest": {"manifest"},
        "write_junit": {"junit"},
        "write_report": {"report"},
    }.get(step, set())
    for name in ("patch", "manifest", "junit", "report"):
        assert getattr(live.folder, name).exists() is (name not in missing), name
    assert told == [live.id]


@pytest.mark.parametrize(
    "error", [DeliveryError("x", hint="y"), OSError("disk"), ZeroDivisionError("oh")]
)
@pytest.mark.parametrize("step", ["shutil.copytree", "bring_to_disk", "tell"])
def test_without_model_or_messages_nothing_is_published_until_it_is_done_again(
    workshop: FakeWorkshop,
    repository: Repository,
    monkeypatch: pytest.MonkeyPatch,
    told: list[str],
    step: str,
    error: Exception,
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise error

    request = Request(str(repository.path), wishes=Wishes(target=0.9))
    live = begin(request, workshop.store, progress=lambda line: None)
    with monkeypatch.context() as patched:
        patched.setattr(f"{module.__name__}.{step}", failing)
        with pytest.raises(PublicationError, match="is not published: could not") as caught:
            Drive(live, workshop, lambda line: None).to_verdict()
    assert str(error) in caught.value.message
    assert live.record.verdict is not None and live.record.verdict.exit_code == 0
    assert not live.record.is_published
    assert told == []
    assert live.folder.report.exists()
    verdict = Drive(LiveRun(live.folder), workshop, lambda line: None).to_verdict()
    assert verdict == live.record.verdict
    assert live.refresh().is_published
    assert live.record.warnings == ()  # in the end there was nothing to warn of
    assert (live.folder.model / "model.json").exists()
    assert told == [live.id]


def test_all_that_is_published_is_on_disk_before_it_is_said_to_be(
    workshop: FakeWorkshop, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    with synced(monkeypatch) as paths:
        _, live = ran(workshop, repository, target=0.9)
    folder = live.folder
    last = max(index for index, path in enumerate(paths) if path == folder.journal)
    for path in (folder.model / "model.json", folder.patch, folder.manifest, folder.report):
        assert paths.index(path) < paths.index(folder.path, paths.index(path)) < last


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda file: file.write_bytes(b""), "out/model/model.json is damaged"),
        (lambda file: file.unlink(), "out/model/model.json is missing"),
        (lambda file: shutil.rmtree(file.parent), "out/model/model.json is missing"),
    ],
)
def test_a_model_that_is_not_as_its_trial_left_it_is_not_published_and_people_are_told(
    workshop: FakeWorkshop,
    repository: Repository,
    told: list[str],
    spoil: Callable[[Path], object],
    said: str,
) -> None:
    verdict, live = ran(workshop, repository, target=0.9)
    spoil(live.folder.trials / str(verdict.best) / "out/model/model.json")
    for _ in range(2):
        workshop.publication.publish(LiveRun(live.folder))
    (warning,) = live.refresh().warnings
    assert f"the model of trial {verdict.best} is not published: {said}" in warning
    assert f"pushtrain reproduce {live.id}" in warning
    assert not live.folder.model.exists()
    assert not list(live.folder.path.glob("*.partial"))
    assert told == [live.id] * 3


def test_nothing_half_written_is_left(
    workshop: FakeWorkshop, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[Callable[..., Any]] = [module.shutil.copytree]

    def failing(source: Path, target: Path) -> None:
        target.mkdir()
        (target / "half").touch()
        raise OSError("no space left")

    monkeypatch.setattr(module.shutil, "copytree", failing)
    request = Request(str(repository.path), wishes=Wishes(target=0.9))
    live = begin(request, workshop.store, progress=lambda line: None)
    with pytest.raises(PublicationError, match="no space left"):
        Drive(live, workshop, lambda line: None).to_verdict()
    assert not live.folder.model.exists()
    best = live.record.verdict.best if live.record.verdict else None
    assert (live.folder.trials / str(best) / "out" / "model" / "model.json").exists()
    monkeypatch.setattr(module.shutil, "copytree", copied[0])
    workshop.publication.publish(LiveRun(live.folder))
    assert {path.name for path in live.folder.model.iterdir()} == {"model.json"}
    assert not list(live.folder.path.glob("*.partial"))


def test_a_run_under_way_can_be_reported_and_patched(
    workshop: FakeWorkshop, repository: Repository
) -> None:
    request = Request(str(repository.path))
    live = begin(request, workshop.store, progress=lambda line: None)
    page = workshop.publication.write_report(live.folder, live.record)
    assert page.read_text() == "nothing changed"
    assert workshop.publication.patch(live.folder, live.record) == b""
    assert workshop.publication.commit(live) is None
