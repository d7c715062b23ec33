"""A run in a few words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pushtrain.entities import Push, Role, RunState, Verdict
from pushtrain.record import RunRecord
from pushtrain.telling.summary import Outcome, knob_changes, summarise
from support import records


def test_a_met_target_says_value_place_and_next_step() -> None:
    told = summarise(records.run())
    assert told.outcome is Outcome.MET
    assert (told.project, told.commit) == ("digits-cnn", "1a2b3c4")
    assert (told.metric, told.value, told.target) == ("accuracy", "0.9822", "≥ 0.97")
    assert told.reason == "trial 2, model.evaluate at train.py:52 (held-out)"
    assert "pushtrain patch 7f3c12ab" in told.next_step


def test_met_by_the_code_as_pushed_there_is_nothing_to_take_over() -> None:
    told = summarise(records.run([records.trial(0, 0.98)]))
    assert told.next_step.startswith("nothing to change")


def test_a_spent_budget_names_the_ways_on() -> None:
    told = summarise(records.run([records.trial(0, 0.7)], state=RunState.SPENT))
    assert (told.outcome, told.value) == (Outcome.NOT_MET, "0.7")
    assert "--trials" in told.next_step


def test_a_value_that_is_no_evidence_is_not_shown_as_the_result() -> None:
    trials = [records.trial(0, 0.99, role=Role.TRAINING)]
    told = summarise(records.run(trials, state=RunState.SPENT))
    assert told.value == ""


def test_a_failure_names_the_line_and_its_own_hint() -> None:
    told = summarise(records.run([records.failed(0)], state=RunState.FAILED))
    assert told.reason.startswith("train.py:24: ValueError: Negative dimension size")
    assert told.next_step == "make the input larger than the kernel"


def test_an_error_of_the_run_itself_wins_over_trials() -> None:
    error = {"message": "no Docker Engine at unix:///run/docker.sock", "hint": "start it"}
    told = summarise(records.run([], state=RunState.FAILED, error=error))
    assert told.reason == "no Docker Engine at unix:///run/docker.sock"
    assert told.next_step == "start it"


def test_seeds_that_confirm_are_told() -> None:
    told = summarise(records.run(confirmed=(0.981, 0.979)))
    assert told.reason.endswith("under other seeds: 0.981, 0.979")


@pytest.mark.parametrize("state", list(RunState))
def test_every_state_has_words(state: RunState) -> None:
    told = summarise(records.run(state=state))
    assert told.headline and told.next_step
    assert (told.outcome is Outcome.RUNNING) == (not state.is_finished)


def test_a_run_that_has_only_begun_has_a_summary() -> None:
    told = summarise(RunRecord("0"))
    assert (told.project, told.commit, told.metric) == ("run", "", "")


@pytest.mark.parametrize(
    ("repository", "name"),
    [
        ("https://ada:s3cret@git.example.org/team/digits.git", "digits"),
        ("git@git.example.org:digits.git", "digits"),
        ("/srv/git/digits/", "digits"),
        ("C:\\work\\digits", "digits"),
        ("", "run"),
    ],
)
def test_a_project_is_called_by_its_last_name(repository: str, name: str) -> None:
    record = replace(records.run(), push=Push(repository, "ab" * 20))
    assert summarise(record).project == name


def test_what_strangers_wrote_is_harmless() -> None:
    push = Push("https://h.example/evil\r\nBcc: all@h.example\x00\u202e.git", "ab" * 20)
    verdict: Verdict | None = records.run().verdict
    assert verdict is not None
    told = summarise(replace(records.run(), push=push))
    assert "\n" not in told.project and "\u202e" not in told.project


def test_changed_knobs_come_first_then_what_mattered() -> None:
    changes = knob_changes(records.run(), records.IMPORTANCES)
    assert [c.name for c in changes] == ["LEARNING_RATE", "EPOCHS", "filters", "rate", "activation"]
    assert (changes[0].pushed, changes[0].winning, changes[0].share) == ("0.0008", "0.0042", 0.55)
    assert not changes[2].is_changed and changes[2].winning == "8"
