"""The harness itself: what is wrong is found, a seed means the same, and nothing is overlooked."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest

from chaos.checks import problems
from chaos.injuries import INJURIES
from chaos.ledger import Ledger
from chaos.outcome import Outcome
from chaos.program import KERAS
from chaos.progress import TRAINED, Progress
from chaos.scenario import EVERY_DAY, draw
from pushtrain.entities import Epoch, RunState
from pushtrain.events import EpochEnded, Event, StateChanged
from pushtrain.journal import Journal
from support import records

_SAVED = (("trained", 1), ("saved", 1), ("trained", 2), ("saved", 2), ("trained", 3))
_WELL = Outcome(
    verdict={"state": "spent", "value": 0.5},
    trials={0: {"values": {"alpha": 0.1}, "artifacts": ({"sha256": "sha256:1"},)}},
    published={"model/model.joblib": "1"},
    files=frozenset({"config.toml", "runs/*/journal"}),
    ledgers={0: Ledger(_SAVED)},
    mails=("not met",),
    temporary=(),
)


def wrong(disturbed: Outcome, *, costs_checkpoints: bool = False) -> tuple[str, ...]:
    return problems(disturbed, _WELL, costs_checkpoints=costs_checkpoints)


def test_a_run_that_ends_as_the_undisturbed_one_is_well() -> None:
    rescued = _WELL.files | {"runs/*/driver.log"}
    again = Ledger((*_SAVED, ("trained", 3), ("saved", 3)))
    assert wrong(replace(_WELL, files=rescued, ledgers={0: again})) == ()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"verdict": {"state": "failed", "value": 0.5}}, "verdict.state is 'failed'"),
        ({"trials": {}}, "trials.0 is None"),
        ({"trials": {**_WELL.trials, 1: {}}}, "trials.1 is {}"),
        ({"published": {"model/model.joblib": "2"}}, "published.model/model.joblib is '2'"),
        ({"published": {}}, "published.model/model.joblib is None"),
        ({"files": _WELL.files | {"runs/*/model.partial/x"}}, "a file is left: runs/*/model.part"),
        ({"files": frozenset({"config.toml"})}, "a file is missing: runs/*/journal"),
        ({"ledgers": {0: None}}, "trial 0 does not say"),
        ({"ledgers": {0: Ledger((*_SAVED, ("trained", 2)))}}, "trial 0 trained 1 saved epochs"),
        ({"mails": ("not met", "not met")}, "the mails are ('not met', 'not met')"),
        ({"mails": ()}, "the mails are ()"),
        ({"temporary": ("x",)}, "a temporary file is left: x"),
    ],
)
def test_whatever_does_not_hold_is_said(change: dict[str, object], said: str) -> None:
    (found,) = wrong(replace(_WELL, **change))
    assert said in found


def test_what_is_kept_alone_says_nothing_of_what_was_before() -> None:
    kept = (("trained", 1), ("trained", 2), ("kept", 2))
    assert Ledger((*kept, ("trained", 1), ("trained", 3))).lost == 0
    assert Ledger((*kept, ("trained", 1), ("trained", 2))).lost == 1


def test_what_was_destroyed_may_be_trained_again() -> None:
    again = Ledger((*_SAVED, *_SAVED))
    assert (again.lost, again.repeated) == (2, 3)
    assert wrong(replace(_WELL, ledgers={0: again}), costs_checkpoints=True) == ()
    assert wrong(replace(_WELL, ledgers={0: again})) != ()


def test_a_ledger_is_read_from_a_log_with_other_lines(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_bytes(b"trained 1\n\xff\xfe\nledger: trained 1\nledger: trained 1 saved 1\nbye\n")
    assert Ledger.of(log) == Ledger((("trained", 1), ("saved", 1)))
    log.write_text("trained 1\n")
    assert Ledger.of(log) is None


def test_a_seed_always_means_the_same() -> None:
    assert [draw(seed) for seed in range(200)] == [draw(seed) for seed in range(200)]


def test_the_seeds_of_every_day_leave_no_injury_out() -> None:
    scenarios = [draw(seed) for seed in EVERY_DAY]
    assert {blow.injury.name for s in scenarios for blow in s.blows} == {i.name for i in INJURIES}
    assert sum(scenario.program is KERAS for scenario in scenarios) >= 3
    assert any(scenario.is_apart for scenario in scenarios)
    assert any(scenario.clock for scenario in scenarios)


def test_an_engine_is_only_killed_where_it_is_ours() -> None:
    for scenario in map(draw, range(500)):
        is_ours = scenario.program.is_light
        assert is_ours or not any(blow.injury.is_of_engine for blow in scenario.blows)


def test_progress_is_seen_once_though_a_line_is_cut_off_and_written_anew(tmp_path: Path) -> None:
    run = tmp_path / "runs/1"
    (run / "trials/0").mkdir(parents=True)
    journal, log = run / "journal", run / "trials/0/log.txt"
    bodies = [json.dumps({"seq": n, "data": {"event": f"e{n}"}}) for n in range(4)]
    lines = [f"{zlib.crc32(body.encode()):08x} {body}\n" for body in bodies]
    progress = Progress(tmp_path)
    for content, said in (
        (lines[0] + lines[1][:5], "trained 1\ntrain"),
        (lines[0] + lines[1] + lines[2], "trained 1\ntrained 2\nelse\n"),
        (lines[0] + lines[1] + lines[2][:7], "trained 1\ntrained 2\nelse\n"),
        (lines[0] + lines[1] + lines[2][:7] + "\0\n", "trained 1\ntrained 2\nelse\n"),
        (lines[0] + lines[1] + lines[3], "trained 1\ntrained 2\nelse\nbegins\n"),
    ):
        journal.write_text(content)
        log.write_text(said)
        progress.look()
    kinds = [seen.kind for seen in progress.seen]
    assert kinds == ["e0", TRAINED, "e1", "e2", TRAINED, "e3", "begins"]
    assert progress.since(TRAINED, 2) == 1


@pytest.mark.parametrize(
    "last", [StateChanged(RunState.TRAINING), EpochEnded(0, Epoch(2, {}, 0.1))]
)
def test_however_a_journal_is_torn_only_what_nobody_waited_for_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: Event
) -> None:
    monkeypatch.setattr("chaos.processes.kill", lambda *_: None)
    (injury,) = (each for each in INJURIES if each.name == "journal")
    folder = tmp_path / "runs/1"
    folder.mkdir(parents=True)
    before = [*records.events()[:3], EpochEnded(0, Epoch(1, {}, 0.1))]
    for event in (*before, last):
        Journal(folder / "journal").append(event)
    whole = (folder / "journal").read_bytes()
    stage = SimpleNamespace(monitor=1, drivers=lambda: [2], progress=Progress(tmp_path))
    stage.until = lambda condition, _: condition()
    kept = before if isinstance(last, EpochEnded) else [*before, last]
    left = set()
    for seed in range(40):
        (folder / "journal").write_bytes(whole)
        injury.strike(stage, Random(seed))  # type: ignore[arg-type]
        content = (folder / "journal").read_bytes()
        left.add(content[-2:] if content.endswith(b"\n") else b"")
        assert [entry.event for entry in Journal(folder / "journal").read()] == kept
    assert left == {b"", b"\0\n", b"\xff\n"}
