"""What later runs make of earlier ones, and what a damaged memory does to them."""

from __future__ import annotations

import json
import logging
import multiprocessing
from dataclasses import replace
from pathlib import Path

import pytest

from pushtrain.entities import (
    Direction,
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
from pushtrain.interfaces import Proposal
from pushtrain.study import Memory, OptunaSearcher, study_path

OBJECTIVE = Objective("accuracy", 0.9)
UNITS = Knob("units", KnobKind.INTEGER, "t.py", 1, 0, 8, Interval(4, 64, log=True), "Dense.units")
EPOCHS = Knob("epochs", KnobKind.INTEGER, "t.py", 2, 0, 5, Interval(5, 40, log=True), "fit.epochs")
KNOBS = (UNITS, EPOCHS)
PUSHED = {"units": 8, "epochs": 5}


def ended(proposal: Proposal, value: float | None, role: Role = Role.HELD_OUT) -> TrialResult:
    measured = None if value is None else Measurement("accuracy", value, role, "evaluate")
    state = TrialState.FAILED if value is None else TrialState.COMPLETE
    return TrialResult(proposal.number, state, proposal.values, 0, measured, (), (), None, 0.1)


def remember(
    path: Path,
    values: KnobValues,
    value: float | None,
    run: str = "one",
    role: Role = Role.HELD_OUT,
) -> None:
    """A run whose only trial had these values."""
    searcher = OptunaSearcher(
        KNOBS, OBJECTIVE, 0, Memory(path, OBJECTIVE), run=run, clock=lambda: 100.0
    )
    searcher.tell(ended(Proposal(1, values, "search"), value, role))


def next_run(
    path: Path,
    knobs: tuple[Knob, ...] = KNOBS,
    objective: Objective = OBJECTIVE,
    since: float = 200,
) -> OptunaSearcher:
    return OptunaSearcher(knobs, objective, 0, Memory(path, objective), run="next", since=since)


def proposals(searcher: OptunaSearcher, count: int) -> list[Proposal]:
    return [proposal for _ in range(count) if (proposal := searcher.ask()) is not None]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "studies" / "key" / "optuna.log"


GOOD = {"units": 32, "epochs": 24}


class TestWhatWasLearnt:
    def test_values_that_met_the_target_are_the_very_first_trial(self, path: Path) -> None:
        remember(path, GOOD, 0.95)
        first, second = proposals(next_run(path), 2)
        assert (first.number, first.values, first.origin) == (1, GOOD, "learnt")
        assert (second.number, second.values, second.origin) == (0, PUSHED, "as pushed")

    def test_values_that_did_not_come_after_the_code_as_pushed(self, path: Path) -> None:
        remember(path, GOOD, 0.7)
        first, second = proposals(next_run(path), 2)
        assert (first.number, first.origin) == (0, "as pushed")
        assert (second.number, second.values, second.origin) == (1, GOOD, "learnt")

    def test_when_the_code_as_pushed_met_it_that_is_first(self, path: Path) -> None:
        remember(path, PUSHED, 0.95)
        (first,) = proposals(next_run(path), 1)
        assert (first.number, first.origin) == (0, "as pushed")

    def test_a_new_target_is_judged_anew(self, path: Path) -> None:
        remember(path, GOOD, 0.95)
        (first,) = proposals(next_run(path, objective=Objective("accuracy", 0.99)), 1)
        assert first.origin == "as pushed"

    def test_a_value_on_training_data_met_nothing(self, path: Path) -> None:
        remember(path, GOOD, 0.99, role=Role.TRAINING)
        (first,) = proposals(next_run(path), 1)
        assert first.origin == "as pushed"

    def test_values_outside_the_new_range_are_clipped_and_only_a_hope(self, path: Path) -> None:
        remember(path, GOOD, 0.95)
        narrow = replace(UNITS, range=Interval(4, 16, log=True))
        first, second = proposals(next_run(path, (narrow, EPOCHS)), 2)
        assert first.origin == "as pushed"
        assert (second.values, second.origin) == ({"units": 16, "epochs": 24}, "learnt")

    def test_what_is_learnt_after_the_start_of_a_run_does_not_count(self, path: Path) -> None:
        remember(path, GOOD, 0.95)
        (first,) = proposals(next_run(path, since=50), 1)
        assert first.origin == "as pushed"

    def test_what_others_tried_is_tried_again_only_when_nothing_new_is_left(
        self, path: Path
    ) -> None:
        tiny = (replace(UNITS, range=Interval(8, 9)),)
        for number, units in enumerate((8, 9)):
            earlier = OptunaSearcher(tiny, OBJECTIVE, 0, Memory(path, OBJECTIVE), run="a")
            earlier.tell(ended(Proposal(number, {"units": units}, "search"), None))
        found = proposals(next_run(path, tiny, since=float("inf")), 5)
        assert [each.values["units"] for each in found] == [8, 9]

    def test_a_result_is_remembered_once_however_often_a_run_is_taken_up(self, path: Path) -> None:
        for _ in range(3):
            remember(path, GOOD, 0.95)
        assert len(Memory(path, OBJECTIVE).observations()) == 1


class TestWhereItIsKept:
    def test_lines_values_ranges_and_targets_do_not_matter(self, tmp_path: Path) -> None:
        changed = replace(UNITS, line=9, value=16, range=Interval(8, 128))
        one = study_path(tmp_path, "host/team/x", KNOBS, OBJECTIVE)
        assert (
            study_path(tmp_path, "host/team/x", (changed, EPOCHS), Objective("accuracy", 0.5))
            == one
        )

    def test_repository_knobs_metric_and_direction_do(self, tmp_path: Path) -> None:
        downwards = Objective("accuracy", 0.9, Direction.MINIMIZE)
        paths = {
            study_path(tmp_path, "host/team/x", KNOBS, OBJECTIVE),
            study_path(tmp_path, "host/team/y", KNOBS, OBJECTIVE),
            study_path(tmp_path, "host/team/x", KNOBS[:1], OBJECTIVE),
            study_path(tmp_path, "host/team/x", KNOBS, Objective("f1", 0.9)),
            study_path(tmp_path, "host/team/x", KNOBS, downwards),
        }
        assert len(paths) == 5


class TestADamagedMemory:
    @pytest.mark.parametrize("content", [b"\x00\xff garbage\n\n", b"{}\n{}\n", b"[1]\n", b'"x"\n'])
    def test_is_set_aside_with_a_warning_and_begun_anew(
        self, path: Path, content: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        with caplog.at_level(logging.WARNING):
            remember(path, GOOD, 0.95)
        assert "set aside" in caplog.text
        assert path.with_name("optuna.log.damaged").read_bytes() == content
        assert proposals(next_run(path), 1)[0].origin == "learnt"

    def test_a_line_cut_short_by_a_crash_costs_only_itself(self, path: Path) -> None:
        remember(path, GOOD, 0.95, run="one")
        with path.open("ab") as file:
            file.write(b'{"op_code":4,"wor')
        remember(path, GOOD, 0.96, run="two")
        assert [each.value for each in Memory(path, OBJECTIVE).observations()] == [0.95, 0.96]

    def test_observations_that_make_no_sense_are_passed_over(self, path: Path) -> None:
        remember(path, GOOD, 0.95)
        lines = path.read_text().splitlines()
        log = json.loads(lines[-1])
        log["user_attrs"] = {"pushtrain": {"values": "evil"}}
        path.write_text("\n".join([*lines, json.dumps(log), ""]))
        assert len(Memory(path, OBJECTIVE).observations()) == 1

    def test_a_disk_that_refuses_ends_only_the_remembering(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        (tmp_path / "file").write_text("no directory")
        with caplog.at_level(logging.WARNING):
            remember(tmp_path / "file" / "optuna.log", GOOD, 0.95)
        assert "nothing is remembered" in caplog.text


def _remember_many(path: Path, run: str) -> None:
    searcher = OptunaSearcher(KNOBS, OBJECTIVE, 0, Memory(path, OBJECTIVE), run=run)
    for number in range(1, 21):
        searcher.tell(ended(Proposal(number, {"units": 4 + number, "epochs": 8}, "search"), 0.5))


def test_processes_that_write_at_once_lose_nothing(path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_remember_many, args=(path, f"run{i}")) for i in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    found = {(each.run, each.number) for each in Memory(path, OBJECTIVE).observations()}
    assert found == {(f"run{i}", number) for i in range(3) for number in range(1, 21)}
