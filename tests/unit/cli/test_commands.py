"""The commands on runs, as people and machines see them."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from fakes.trainer import FakeTrainer
from fakes.workshop import FakeWorkshop
from pushtrain import cli
from pushtrain.cli import following, logs, stop
from pushtrain.cli.live_view import LiveView
from pushtrain.cli.progress import PlainLines, told
from pushtrain.cli.render import fixed, plain
from pushtrain.entities import Epoch, ImagePlan, RunState, Wishes
from pushtrain.errors import EngineUnreachable, ImageError
from pushtrain.events import (
    Entry,
    EpochEnded,
    MessageFailed,
    MessageSent,
    PatchCommitted,
    RunStarted,
    StateChanged,
    StopRequested,
    TrialEnded,
    TrialStarted,
)
from pushtrain.interfaces import LABEL_RUN, Limits, SandboxSpec
from pushtrain.record import RunRecord, fold
from pushtrain.run import Drive, Request, begin
from pushtrain.store import LiveRun, RunFolder
from pushtrain.telling.text import duration, size
from support import records
from support.repositories import FOREST, RIDGE, Repository

Pushtrain = Callable[..., Any]
PATIENT = 20.0


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (logs, following, stop):
        monkeypatch.setattr(module, "_LOOK", 0.005)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    made = Repository(tmp_path_factory.mktemp("git"))
    made.pushed({"train.py": FOREST})
    return made


@pytest.fixture
def program(tmp_path: Path) -> Path:
    place = tmp_path / "program"
    place.mkdir()
    (place / "train.py").write_text(FOREST)
    return place


def stored(workshop: FakeWorkshop, **changes: Any) -> RunFolder:
    """A run as `records.events` tells it, with a log per trial."""
    folder = workshop.store.create("x")
    live = LiveRun(folder)
    for event in records.events(**changes):
        live.append(event)
    for number in live.record.trials:
        (folder.trials / str(number)).mkdir(parents=True)
        (folder.trials / str(number) / "log.txt").write_text(f"log of trial {number}\n")
    return folder


# --- run ---------------------------------------------------------------------------------------


def test_run_for_machines(
    pushtrain: Pushtrain, workshop: FakeWorkshop, repository: Repository
) -> None:
    workshop.build = ("step 1",)
    said = pushtrain("run", repository.path, "--target", "0.9", "--json")
    assert (said.code, said.err) == (0, "step 1\n")
    *events, verdict = said.lines
    judged = len(events)  # it comes last, as the verdict
    assert [event["seq"] for event in events] == [*range(1, judged), judged + 1]
    assert [event["event"] for event in events][:3] == ["run_started", "planned", "state_changed"]
    (folder,) = workshop.store.folders()
    assert {event["run"] for event in events} == {folder.id}
    assert "judged" not in {event["event"] for event in events}
    known = folder.record().verdict
    assert known is not None
    assert verdict["event"] == "verdict"
    assert verdict == {
        **verdict,
        "run": folder.id,
        "met": True,
        "metric": "accuracy",
        "value": known.value,
        "source": "model.evaluate at train.py:41 (held-out)",
        "trials": known.trials,
        "image": "pushtrain/sklearn-classical:1",
        "target": 0.9,
        "exit_code": 0,
        "error": None,
    }
    assert verdict["seconds"] >= 0


def test_run_for_people(
    pushtrain: Pushtrain, workshop: FakeWorkshop, repository: Repository
) -> None:
    said = pushtrain("run", repository.path, "--rev", "main", "--target", "0.9")
    assert said.code == 0
    text = said.out
    for part in (
        "train.py: sklearn classical; target accuracy >= 0.9 within 20 trials",
        "2 knobs: n_estimators, max_depth",
        "trial 0 starts (as pushed)",
        "trial 0 epoch 3/3 accuracy 0.7000",
        "trial 0 complete: accuracy 0.7000 by model.evaluate at train.py:41",
        "n_estimators 10→",
        "MET: accuracy",
    ):
        assert part in text


def test_a_spent_budget_is_exit_code_3(
    pushtrain: Pushtrain, workshop: FakeWorkshop, program: Path
) -> None:
    said = pushtrain("run", program, "--target", "0.99", "--trials", "1", "--time", "2h")
    assert said.code == 3
    assert "SPENT: best accuracy 0.7 (target accuracy >= 0.99)" in said.out


def test_a_regression_without_a_target_is_exit_code_2_with_an_example(
    pushtrain: Pushtrain, workshop: FakeWorkshop, program: Path
) -> None:
    (program / "train.py").write_text(RIDGE)
    said = pushtrain("run", program, "--json")
    assert said.code == 2
    verdict = said.lines[-1]
    assert (verdict["state"], verdict["met"], verdict["exit_code"]) == ("failed", False, 2)
    assert verdict["error"]["error"] == "ObjectiveError"
    assert "--metric" in verdict["error"]["hint"]
    (folder,) = workshop.store.folders()
    assert folder.record().verdict is not None


def test_every_option_reaches_the_run(
    pushtrain: Pushtrain, workshop: FakeWorkshop, repository: Repository
) -> None:
    options = "--metric f1 --target 0.5 --direction minimize --trials 3 --time 90s --trial-time 1m"
    more = "--parallel 2 --confirm 1 --seed 4 --network --branch main"
    pushtrain("run", repository.path, *options.split(), *more.split())
    (folder,) = workshop.store.folders()
    record = folder.record()
    assert record.wishes == Wishes(
        "f1", 0.5, record.wishes.direction, 3, 90.0, 60.0, 1, True, 2, 4, False
    )
    assert record.push is not None
    assert record.push.branch == "main"
    assert workshop.grants[0].limits.network


def test_a_repository_that_is_not_there(
    pushtrain: Pushtrain, workshop: FakeWorkshop, tmp_path: Path
) -> None:
    said = pushtrain("run", tmp_path / "gone")
    assert said.code == 2
    assert "gone does not exist" in said.err
    said = pushtrain("run", tmp_path / "gone", "--json")
    assert (said.code, said.json["error"]) == (2, "SourceError")
    assert workshop.store.folders() == ()


def test_no_engine_is_exit_code_4(
    pushtrain: Pushtrain, workshop: FakeWorkshop, program: Path
) -> None:
    workshop.build = (EngineUnreachable("no answer at unix:///x", hint="start it"),)
    said = pushtrain("run", program, "--json")
    assert said.code == 4
    assert said.lines[-1]["reason"] == "no answer at unix:///x; start it"


# --- resume ------------------------------------------------------------------------------------


def test_resume_goes_on_where_the_driver_died(
    pushtrain: Pushtrain, workshop: FakeWorkshop, program: Path
) -> None:
    whole = pushtrain("run", program, "--target", "0.9", "--json").lines[-1]
    (folder,) = workshop.store.folders()
    lines = folder.journal.read_bytes().splitlines(keepends=True)
    ended = next(i for i, line in enumerate(lines) if b'"trial_ended"' in line)
    folder.journal.write_bytes(b"".join(lines[: ended + 2]))
    shutil.rmtree(folder.path / "report", ignore_errors=True)
    assert pushtrain("runs", "--json").json[0]["state"] == "abandoned"
    said = pushtrain("resume", "--json")
    assert said.code == 0
    again = said.lines[-1]
    assert {**again, "seconds": 0} == {**whole, "seconds": 0}
    assert pushtrain("runs", "--json").json[0]["state"] == "met"


def test_resume_of_a_finished_run_repeats_its_verdict(
    pushtrain: Pushtrain, workshop: FakeWorkshop
) -> None:
    folder = stored(workshop, trials=(records.trial(0, 0.5),), state=RunState.SPENT)
    said = pushtrain("resume", folder.id)
    assert said.code == 3
    assert said.out.startswith("SPENT: ")
    assert workshop.trained == []
    assert workshop.published == [folder.id]


def test_resume_of_a_run_that_is_worked_on_is_refused(
    pushtrain: Pushtrain, workshop: FakeWorkshop
) -> None:
    folder = stored(workshop, state=RunState.TRAINING)
    with folder.driving():
        said = pushtrain("resume", folder.id)
    assert said.code == 2
    assert "another process" in said.err


# --- runs, show --------------------------------------------------------------------------------


def test_no_runs_yet(pushtrain: Pushtrain, workshop: FakeWorkshop) -> None:
    assert "no runs yet" in pushtrain("runs").out
    assert pushtrain("runs", "--json").json == []
    assert pushtrain("show").code == 2


def test_the_list_of_runs(pushtrain: Pushtrain, workshop: FakeWorkshop) -> None:
    met = stored(workshop)
    dead = stored(workshop, state=RunState.TRAINING, trials=())
    driven = stored(workshop, state=RunState.TRAINING)
    with driven.driving():
        rows = [line.split() for line in pushtrain("runs").out.splitlines()]
        facts = pushtrain("runs", "--json").json
        newest = pushtrain("runs", "-n", "1", "--json").json
    assert rows[0][:3] == ["RUN", "REPOSITORY", "COMMIT"]
    assert [row[0] for row in rows[1:]] == [driven.id, dead.id, met.id]
    assert [row[4] for row in rows[1:]] == ["training", "abandoned", "met"]
    assert [fact["state"] for fact in facts] == ["training", "abandoned", "met"]
    assert facts[2]["value"] == 0.9822
    assert facts[2]["verdict"]["met"] is True
    assert facts[1]["verdict"] is None
    assert [fact["run"] for fact in newest] == [driven.id]


def test_show_for_people(pushtrain: Pushtrain, workshop: FakeWorkshop) -> None:
    folder = stored(workshop, warnings=("the data is small",))
    text = pushtrain("show", folder.id[:5]).out
    for part in (
        f"{folder.id}, met",
        "train.py: keras, cnn",
        "accuracy >= 0.97",
        "warning  the data is small",
        "2 *",
        "EPOCHS 6→24",
    ):
        assert part in text


def test_show_for_machines(pushtrain: Pushtrain, workshop: FakeWorkshop) -> None:
    trials = (records.trial(0, float("nan")), records.failed(1), records.trial(2, 0.98))
    folder = stored(workshop, trials=trials)
    said = pushtrain("show", "--json")
    assert said.code == 0
    facts = said.json
    assert (facts["run"], facts["state"]) == (folder.id, "met")
    assert [trial["number"] for trial in facts["trials"]] == [0, 1, 2]
    assert facts["trials"][0]["measurement"]["value"] is None
    assert facts["trials"][1]["failure"]["line"] == 24
    assert facts["verdict"]["best"] == 2


def test_show_a_run_that_has_only_begun(pushtrain: Pushtrain, workshop: FakeWorkshop) -> None:
    folder = workshop.store.create("x")
    LiveRun(folder).append(RunStarted(records.PUSH, "sha256:d", "1"))
    assert "abandoned" in pushtrain("show").out
    assert pushtrain("show", "--json").json["state"] == "abandoned"
    assert pushtrain("logs", "--json").json == {"run": folder.id, "trial": None, "log": ""}
    assert pushtrain("patch").out == ""


def test_following_a_finished_run_tells_it_all_and_ends_with_its_code(
    pushtrain: Pushtrain, workshop: FakeWorkshop
) -> None:
    stored(workshop, trials=(records.trial(0, 0.5),), state=RunState.SPENT)
    said = pushtrain("show", "--follow")
    assert said.code == 3
    assert "trial 0 complete" in said.out
    said = pushtrain("show", "--follow", "--json")
    assert said.code == 3
    assert said.lines[0]["event"] == "run_started"
    assert said.lines[-1]["event"] == "verdict"


def test_the_verdict_alone_ends_with_the_runs_code(
    pushtrain: Pushtrain, workshop: FakeWorkshop
) -> None:
    stored(workshop, state=RunState.SPENT)
    said = pushtrain("show", "--verdict")
    assert (said.code, said.out.count("\n")) == (3, 1)
    assert said.out.startswith("SPENT: ")
    assert pushtrain("show", "--verdict", "--json").json["exit_code"] == 3
    stored(workshop, state=RunState.TRAINING)
    said = pushtrain("show", "--verdict")
    assert (said.code, said.out) == (1, "")
    assert "has no verdict yet" in said.err


def test_following_an_abandoned_run_says_so(pushtrain: Pushtrain, workshop: FakeWorkshop) -> None:
    stored(workshop, state=RunState.TRAINING)
    said = pushtrain("show", "--follow")
    assert said.code == 1
    assert "was abandoned" in said.err
    assert pushtrain("show", "--follow", "--json").lines[-1]["exit_code"] == 1


def driving(folder: RunFolder, work: Callable[[LiveRun], None]) -> threading.Thread:
    """A driver in another thread; the run is driven when this returns."""
    is_driven = threading.Event()

    def drive() -> None:
        with folder.driving():
            is_driven.set()
            work(LiveRun(folder))

    thread = threading.Thread(target=drive)
    thread.start()
    assert is_driven.wait(PATIENT)
    return thread


def judged(live: LiveRun, state: RunState = RunState.MET) -> None:
    live.append(records.events(state=state)[-1])


def test_following_waits_for_the_verdict(
    pushtrain: Pushtrain, workshop: FakeWorkshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = stored(workshop, state=RunState.TRAINING)
    has_looked = threading.Event()
    monkeypatch.setattr(following.time, "sleep", lambda seconds: has_looked.set())

    def work(live: LiveRun) -> None:
        assert has_looked.wait(PATIENT)
        judged(live)

    thread = driving(folder, work)
    said = pushtrain("show", "--follow")
    thread.join()
    assert said.code == 0
    assert said.out.splitlines()[-1].startswith("MET: ")


# --- logs --------------------------------------------------------------------------------------


def test_logs_of_the_best_or_of_a_given_trial(pushtrain: Pushtrain, workshop: FakeWorkshop) -> None:
    folder = stored(workshop)
    assert pushtrain("logs").out == "log of trial 2\n"
    assert pushtrain("logs", folder.id, "0").out == "log of trial 0\n"
    said = pushtrain("logs", folder.id, "1", "--json")
    assert said.json == {"run": folder.id, "trial": 1, "log": "log of trial 1\n"}
    said = pushtrain("logs", folder.id, "9")
    assert said.code == 2
    assert "there are logs of 0, 1, 2" in said.err


def test_logs_of_what_is_under_way_come_first(pushtrain: Pushtrain, workshop: FakeWorkshop) -> None:
    folder = stored(workshop, state=RunState.TRAINING)
    LiveRun(folder).append(TrialStarted(7, {}, 0, "search"))
    (folder.trials / "7").mkdir()
    (folder.trials / "7" / "log.txt").write_bytes(b"half a \xe2\x82")
    assert pushtrain("logs").out == "half a �"


@pytest.mark.parametrize("as_json", [False, True])
def test_followed_logs_lose_nothing(
    pushtrain: Pushtrain, workshop: FakeWorkshop, monkeypatch: pytest.MonkeyPatch, as_json: bool
) -> None:
    """Several trials end between two looks, and a character is written in two halves."""
    folder = stored(workshop, state=RunState.TRAINING, trials=())
    pieces: list[tuple[int, bytes]] = [
        (0, b"one \xe2\x82"), (0, b"\xac two\n"), (1, b"short\n"), (2, b"next\n"), (2, b"last\n"),
    ]  # fmt: skip
    looks: list[None] = []
    live = LiveRun(folder)

    def write(trial: int, content: bytes) -> None:
        path = folder.trials / str(trial) / "log.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(content)

    def between_looks(seconds: float) -> None:
        looks.append(None)
        if len(looks) == 1:
            write(*pieces[0])
        elif len(looks) == 2:
            write(*pieces[1])
            live.append(TrialEnded(records.trial(0)))
            for number in (1, 2):
                live.append(TrialStarted(number, {}, 0, "search"))
                write(*pieces[number + 1])
                live.append(TrialEnded(records.trial(number)))
            write(*pieces[4])
        else:
            judged(live)

    live.append(TrialStarted(0, {}, 0, "as pushed"))
    monkeypatch.setattr(logs.time, "sleep", between_looks)
    with folder.driving():
        said = pushtrain("logs", "-f", *(["--json"] if as_json else []))
    assert said.code == 0
    if as_json:
        texts: dict[int, str] = {}
        for line in said.lines:
            texts[line["trial"]] = texts.get(line["trial"], "") + line["log"]
        assert texts == {0: "one € two\n", 1: "short\n", 2: "next\nlast\n"}
    else:
        assert said.out == ("one € two\n--- trial 1 ---\nshort\n--- trial 2 ---\nnext\nlast\n")


def test_following_one_trial_ends_with_it(pushtrain: Pushtrain, workshop: FakeWorkshop) -> None:
    folder = stored(workshop, state=RunState.TRAINING)
    with folder.driving():
        assert pushtrain("logs", folder.id, "1", "-f").out == "log of trial 1\n"
    assert pushtrain("logs", folder.id, "9", "-f").code == 2


# --- stop --------------------------------------------------------------------------------------


def test_stop_a_run_that_is_under_way(
    pushtrain: Pushtrain, workshop: FakeWorkshop, program: Path
) -> None:
    under_way = threading.Event()

    def before_epoch(trainer: FakeTrainer, trial: int, epoch: int) -> None:
        if trial == 1:
            under_way.set()
            assert trainer.stopping.wait(PATIENT)

    workshop.before_epoch = before_epoch
    verdicts: list[Any] = []

    def work() -> None:
        request = Request(str(program), wishes=Wishes(target=0.999))
        live = begin(request, workshop.store, progress=lambda line: None)
        with live.folder.driving():
            verdicts.append(Drive(live, workshop, lambda line: None).to_verdict())

    thread = threading.Thread(target=work)
    thread.start()
    assert under_way.wait(PATIENT)
    said = pushtrain("stop", "last", "--json")
    thread.join()
    assert said.code == 0
    assert (said.json["state"], said.json["stopped"]) == ("stopped", True)
    assert verdicts[0].exit_code == 130
    said = pushtrain("stop", "last")
    assert (said.code, said.out.split()[-2:]) == (0, ["stopped", "already"])


def test_stop_ends_a_run_whose_driver_died(
    pushtrain: Pushtrain, workshop: FakeWorkshop, program: Path
) -> None:
    live = begin(Request(str(program)), workshop.store, progress=lambda line: None)
    said = pushtrain("stop", live.id, "--json")
    assert (said.code, said.json["state"]) == (0, "stopped")
    assert workshop.published == [live.id]
    assert workshop.trained == []


def test_what_a_newer_push_takes_the_place_of_ends_as_that(
    pushtrain: Pushtrain, workshop: FakeWorkshop, program: Path
) -> None:
    live = begin(Request(str(program)), workshop.store, progress=lambda line: None)
    assert pushtrain("stop", live.id, "--superseded", "--json").json["state"] == "superseded"
    verdict = live.refresh().verdict
    assert verdict is not None and verdict.reason.startswith("superseded by a newer push")


def test_stop_waits_no_longer_than_told(pushtrain: Pushtrain, workshop: FakeWorkshop) -> None:
    folder = stored(workshop, state=RunState.TRAINING)
    with folder.driving():
        said = pushtrain("stop", folder.id, "--wait", "0")
    assert said.code == 1
    assert "has not ended yet" in said.err
    stop = folder.record().stop
    assert stop is not None
    assert stop.reason == "stopped by hand"


# --- patch, report -----------------------------------------------------------------------------


@pytest.fixture
def tuned(pushtrain: Pushtrain, workshop: FakeWorkshop, tmp_path: Path) -> Repository:
    """A repository whose run has met its target with other values."""
    made = Repository(tmp_path)
    made.pushed({"train.py": FOREST})
    assert pushtrain("run", made.path, "--target", "0.9").code == 0
    return made


def test_the_patch_is_what_git_takes(pushtrain: Pushtrain, tuned: Repository) -> None:
    said = pushtrain("patch")
    assert said.code == 0
    subprocess.run(["git", "apply", "-"], cwd=tuned.clone, input=said.out.encode(), check=True)
    changed = (tuned.clone / "train.py").read_text()
    assert changed != FOREST
    assert "n_estimators=" in changed
    facts = pushtrain("patch", "--json").json
    assert (facts["patch"], facts["branch"]) == (said.out, None)


def test_the_patch_is_committed_once_to_a_branch(
    pushtrain: Pushtrain, tuned: Repository, workshop: FakeWorkshop
) -> None:
    said = pushtrain("patch", "--commit")
    branch = said.out.strip()
    assert branch.startswith("pushtrain/tuned/")
    message = tuned.git("log", "-1", "--format=%B", branch, cwd=tuned.path)
    assert message.startswith("Tune ")
    assert "n_estimators=" in tuned.git("show", f"{branch}:train.py", cwd=tuned.path)
    assert pushtrain("patch", "--commit", "--json").json["branch"] == branch
    (folder,) = workshop.store.folders()
    assert folder.record().tuned_branch == branch
    assert tuned.git("rev-list", "--count", branch, cwd=tuned.path) == "2"


def test_the_patch_is_empty_when_the_code_as_pushed_was_best(
    pushtrain: Pushtrain, workshop: FakeWorkshop, program: Path
) -> None:
    pushtrain("run", program, "--target", "0.5")
    assert pushtrain("patch").out == ""
    assert pushtrain("patch", "--commit", "--json").json["branch"] is None


def test_the_report_is_written_anew(pushtrain: Pushtrain, tuned: Repository) -> None:
    said = pushtrain("report")
    page = Path(said.out.strip())
    assert "accuracy" in page.read_text()
    page.unlink()
    facts = pushtrain("report", "--json").json
    assert facts["report"] == str(page)
    assert page.exists()


# --- clean, doctor -----------------------------------------------------------------------------


def left_behind(workshop: FakeWorkshop, run: str) -> None:
    limits = Limits(1, 1.0, 16, 1, 1, 1)
    workshop.engine.launch(SandboxSpec("left-behind", "i", ("x",), {LABEL_RUN: run}, limits))


def test_clean_shows_before_it_removes(pushtrain: Pushtrain, workshop: FakeWorkshop) -> None:
    keep = workshop.operator.keep.model_copy(update={"runs": 0, "days": 0.0})
    workshop.operator = workshop.operator.model_copy(update={"keep": keep})
    folder = stored(workshop)
    left_behind(workshop, folder.id)
    young, dead = workshop.store.create("x"), workshop.store.create("y")
    os.utime(dead.path, (0, 0))
    said = pushtrain("clean")
    assert said.code == 0
    assert f"run        {folder.id}" in said.out
    assert "container  left-behind" in said.out
    assert "--yes removes it" in said.out
    facts = pushtrain("clean", "--json").json
    assert (facts["removed"], facts["runs"]) == (False, [folder.id, dead.id])
    assert folder.path.exists()
    facts = pushtrain("clean", "--yes", "--json").json
    assert facts["removed"] is True
    assert facts["containers"] == ["left-behind"]
    assert not folder.path.exists()
    assert not dead.path.exists()
    assert young.path.exists()
    assert workshop.engine.find({LABEL_RUN: ""}) == []
    assert pushtrain("clean").out == "nothing to remove\n"


@pytest.mark.parametrize("error", [KeyError("cnn"), ImageError("no such layer"), None])
def test_clean_keeps_the_images_of_kept_runs_whatever_today_s_catalog_says(
    pushtrain: Pushtrain,
    workshop: FakeWorkshop,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception | None,
) -> None:
    class Planner:
        def recipes(self, plan: ImagePlan) -> list[Any]:
            if error is not None:
                raise error
            return []

    stored(workshop)
    ages = [(f"sha256:{n}", tag, 5, 0.0) for n, tag in enumerate((records.PLAN.tag, "old:1"))]
    monkeypatch.setattr(workshop.image_store, "list", lambda: ages)
    workshop.__dict__["planner"] = Planner()
    assert pushtrain("clean", "--json").json["images"] == ["old:1"]


def test_the_doctors_findings(
    pushtrain: Pushtrain, workshop: FakeWorkshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = workshop.engine.facts()
    monkeypatch.setattr(workshop.engine, "facts", lambda: replace(facts, time=0.0))
    findings = pushtrain("doctor", "--json").json
    subjects = [finding["subject"] for finding in findings]
    assert subjects[:5] == ["git", "home", "certificates", "mail", "engine"]
    assert all(finding["remedy"] for finding in findings if finding["health"] != "ok")
    text = pushtrain("doctor").out
    assert all(finding["message"] in text for finding in findings)


# --- speaking ----------------------------------------------------------------------------------


def everything() -> tuple[Entry, ...]:
    events = (
        *records.events((records.trial(0, 0.7), records.failed(1), records.trial(2, 0.98)),
                        warnings=("careful",)),
        StateChanged(RunState.BUILDING),
        TrialStarted(3, {"EPOCHS": 24}, 0, "search"),
        EpochEnded(3, Epoch(1, {"accuracy": 0.5, "val_accuracy": 0.4}, 0.1), 12),
        EpochEnded(3, Epoch(2, {"loss": float("nan")}, 0.1)),
        StopRequested("by hand"),
        PatchCommitted("pushtrain/tuned/1"),
        MessageSent("k", "mail"),
        MessageFailed("k", "chat", "no answer", permanent=False),
    )  # fmt: skip
    return tuple(Entry(n, 1000.0 + n, event) for n, event in enumerate(events, 1))


def test_every_event_can_be_told(capsys: pytest.CaptureFixture[str]) -> None:
    entries, record = everything(), RunRecord("r")
    lines = []
    with PlainLines() as progress:
        for entry in entries:
            record = fold("r", (entry,), record)
            progress.on_entry(entry, record)
            lines.append(told(entry, record))
        progress.on_line("a step")
    out = capsys.readouterr().out
    assert all(line in out for line in lines if line)
    assert out.splitlines()[-1] == "         a step"
    for part in (
        "trial 1 failed: ValueError: Negative dimension size",
        "warning: careful",
        "trial 3 starts (search: EPOCHS 6→24)",
        "trial 3 epoch 1/12 accuracy 0.4000",
        "trial 3 epoch 2 loss nan",
        "stop: by hand",
        "chat could not be told: no answer",
    ):
        assert part in out


def test_the_live_view_draws_whatever_happens() -> None:
    view, record = LiveView(), RunRecord("r")
    screen = Console(file=io.StringIO(), width=80, color_system=None)
    for entry in everything():
        record = fold("r", (entry,), record)
        view.on_entry(entry, record)
        view.on_line(f"line {entry.seq}")
        screen.print(view._draw())
    training = records.run(state=RunState.TRAINING)
    more = (TrialStarted(3, {}, 0, "search"), EpochEnded(3, Epoch(1, {"val_accuracy": 0.4}, 1), 9))
    training = fold("r", (Entry(99, 1000.0, event) for event in more), training)
    view.on_entry(everything()[1], training)
    screen.print(view._draw())
    assert isinstance(screen.file, io.StringIO)
    drawn = screen.file.getvalue()
    assert f"run {records.RUN}  best 0.9822 of accuracy >= 0.97" in drawn
    assert "trial 4 of at most 30" in drawn
    assert "trial 3 (search)  epoch 1/9" in drawn
    assert max(len(line) for line in drawn.splitlines()) <= 80


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.44, "0.4 s"), (42.4, "42 s"), (59.7, "1 min 00 s"), (185, "3 min 05 s"),
     (3599.6, "1 h 00 min"), (7800, "2 h 10 min")],
)  # fmt: skip
def test_durations_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.97123, "0.9712"), (12.345, "12.35"), (1.2e-5, "1.2e-05"), (0.0, "0.0000"),
     (float("nan"), "nan"), (-0.5, "-0.5000"), (9.99999, "10.0000")],
)  # fmt: skip
def test_values_for_people(value: float, text: str) -> None:
    assert fixed(value) == text


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 B"), (1536, "1.5 KiB"), (3 * 1024**3, "3.0 GiB")]
)
def test_sizes_for_people(number: int, text: str) -> None:
    assert size(number) == text


def test_json_holds_no_constants_that_json_does_not_know() -> None:
    value = {"a": [float("nan"), float("inf"), 1.5], 3: Path("/x"), "b": b"\xff", "c": {1}}
    assert plain(value) == {"a": [None, None, 1.5], "3": "/x", "b": "�", "c": [1]}


def test_the_lists_of_commands_and_modules_agree() -> None:
    here = Path(cli.__file__).parent
    modules = {path.stem for path in here.iterdir() if path.suffix in (".py", "")}
    modules -= {"__init__", "__pycache__", "following", "watching", "render", "progress"}
    modules -= {"live_view", "tables"}
    assert modules == set(cli.COMMANDS)


def test_a_run_begins_without_what_it_needs_only_later() -> None:
    look = "import sys, pushtrain.cli.run; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, check=True, text=True)
    later = {"cryptography", "jinja2", "libcst", "matplotlib", "numpy", "optuna", "rich"}
    assert not later & set(done.stdout.split())
