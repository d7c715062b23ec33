"""Verdicts: from what a run did, in the words and with the exit code that people act on."""

from __future__ import annotations

from typing import Any

import pytest

from pushtrain.conclusion import judge, judge_error
from pushtrain.entities import Cause, Direction, Failure, Objective, Role, RunState, TrialState
from pushtrain.errors import (
    EngineUnreachable,
    ImageError,
    ObjectiveError,
    PushtrainError,
    SettingsError,
)
from pushtrain.events import Entry, StopRequested, TrialEnded, TrialStarted
from pushtrain.record import CONFIRMATION, RunRecord, fold
from pushtrain.training import (
    ALL_TRIED,
    ON_TRAINING_DATA,
    TIME_SPENT,
    TRIALS_SPENT,
    Ending,
)
from support.records import STARTED, failed, run, trial

NOW = STARTED + 61.0


def record(*trials: Any, **changes: Any) -> RunRecord:
    return run(trials, state=RunState.TRAINING, **changes)


def confirmed(before: RunRecord, *values: float | None) -> RunRecord:
    events: list[TrialStarted | TrialEnded] = []
    for seed, value in enumerate(values, 1):
        number = 100 + seed
        events.append(TrialStarted(number, {}, seed, CONFIRMATION))
        events.append(TrialEnded(trial(number, value, seed=seed)))
    return fold(before.id, (Entry(n, NOW, e) for n, e in enumerate(events)), before)


def test_met() -> None:
    verdict = judge(record(trial(0, 0.75), trial(1, 0.981)), Ending(RunState.MET), NOW)
    assert (verdict.state, verdict.exit_code, verdict.is_met) == (RunState.MET, 0, True)
    assert (verdict.best, verdict.value, verdict.trials) == (1, 0.981, 2)
    assert verdict.source == "model.evaluate at train.py:52 (held-out)"
    assert verdict.reason == "accuracy 0.981 (target accuracy >= 0.97), trial 1"
    assert verdict.seconds == 60.0
    assert verdict.image == "pushtrain/keras-cnn:2f81c0ffee12"


def test_met_and_confirmed_under_other_seeds() -> None:
    verdict = judge(confirmed(record(trial(0, 0.98)), 0.9, 0.94), Ending(RunState.MET), NOW)
    assert verdict.confirmed == (0.9, 0.94)
    assert verdict.reason.endswith("; 2 other seeds: mean 0.92, spread 0.02")
    assert verdict.trials == 1


def test_a_confirmation_that_failed_is_left_out() -> None:
    verdict = judge(confirmed(record(trial(0, 0.98)), None, 0.94), Ending(RunState.MET), NOW)
    assert verdict.confirmed == (0.94,)
    assert "1 other seed" in verdict.reason
    assert "spread 0" in verdict.reason


@pytest.mark.parametrize("spent", [TIME_SPENT, TRIALS_SPENT, ALL_TRIED])
def test_spent_says_what_was_spent_and_what_would_help(spent: str) -> None:
    verdict = judge(record(trial(0, 0.75)), Ending(RunState.SPENT, spent=spent), NOW)
    assert (verdict.state, verdict.exit_code, verdict.is_met) == (RunState.SPENT, 3, False)
    assert verdict.reason == (
        f"best accuracy 0.75 (target accuracy >= 0.97), trial 0; {spent}, or lower the target"
    )


def test_spent_on_trials_that_all_failed_is_the_first_ones_failure() -> None:
    trials = (failed(0, cause=Cause.CRASH), failed(1, message="another"))
    verdict = judge(record(*trials), Ending(RunState.SPENT, spent=TRIALS_SPENT), NOW)
    assert (verdict.state, verdict.exit_code) == (RunState.FAILED, 1)
    assert verdict.reason.startswith("train.py:24: ValueError: Negative dimension size")
    assert verdict.reason.endswith("; make the input larger than the kernel")
    assert (verdict.best, verdict.value, verdict.source) == (None, None, None)


@pytest.mark.parametrize("trials", [(), (trial(0, None, state=TrialState.STOPPED),)])
def test_spent_before_any_trial_ended_says_so(trials: tuple[Any, ...]) -> None:
    verdict = judge(record(*trials), Ending(RunState.SPENT, spent=TIME_SPENT), NOW)
    assert (verdict.state, verdict.exit_code) == (RunState.SPENT, 3)
    assert verdict.reason == f"no trial came to its end; {TIME_SPENT}"


def test_a_target_met_on_training_data_only_is_refused_in_the_warnings_words() -> None:
    known = record(trial(0, 0.99, role=Role.TRAINING), warnings=(ON_TRAINING_DATA,))
    verdict = judge(known, Ending(RunState.SPENT), NOW)
    assert (verdict.state, verdict.exit_code) == (RunState.SPENT, 3)
    assert verdict.reason == ON_TRAINING_DATA
    assert verdict.value is None


def test_a_metric_measured_on_training_data_only_is_said_to_be() -> None:
    known = record(trial(0, 0.3, role=Role.TRAINING))
    verdict = judge(known, Ending(RunState.SPENT), NOW)
    assert "only measured on the data that the model was trained on" in verdict.reason


def test_failed_names_place_message_and_next_step() -> None:
    failure = Failure(Cause.USER_ERROR, "KeyError: 'x'", "src/train.py", 7, "add the column")
    verdict = judge(record(failed(0)), Ending(RunState.FAILED, failure), NOW)
    assert (verdict.state, verdict.exit_code) == (RunState.FAILED, 1)
    assert verdict.reason == "src/train.py:7: KeyError: 'x'; add the column"
    bare = judge(record(), Ending(RunState.FAILED, Failure(Cause.CRASH, "SIGSEGV")), NOW)
    assert bare.reason == "SIGSEGV"


@pytest.mark.parametrize("state", [RunState.STOPPED, RunState.SUPERSEDED])
def test_stopped_keeps_the_best_so_far(state: RunState) -> None:
    asked = fold("r", [Entry(99, NOW, StopRequested("by 1a2b"))], record(trial(0, 0.75)))
    verdict = judge(asked, Ending(state), NOW)
    assert (verdict.state, verdict.exit_code, verdict.best) == (state, 130, 0)
    assert verdict.reason == "by 1a2b; best so far: accuracy 0.75"


def test_stopped_before_anything_was_known() -> None:
    verdict = judge(RunRecord("r"), Ending(RunState.STOPPED), NOW)
    assert verdict.reason == "interrupted; best so far: no value"
    assert (verdict.objective, verdict.image, verdict.trials) == (None, None, 0)


def test_a_metric_to_be_lowered() -> None:
    objective = Objective("rmse", 0.5, Direction.MINIMIZE)
    trials = (trial(0, 2.0, metric="rmse"), trial(1, 0.4, metric="rmse"))
    verdict = judge(record(*trials, objective=objective), Ending(RunState.MET), NOW)
    assert (verdict.best, verdict.reason) == (1, "rmse 0.4 (target rmse <= 0.5), trial 1")


def test_a_clock_that_went_back_gives_no_negative_time() -> None:
    assert judge(record(), Ending(RunState.STOPPED), STARTED - 100).seconds == 0.0


@pytest.mark.parametrize(
    "error",
    [
        PushtrainError("x"),
        SettingsError("x", hint="y", setting="limits.memory"),
        ObjectiveError("no target", hint="state one"),
        EngineUnreachable("x"),
        ImageError("x", tail=["a", "b"]),
    ],
)
def test_an_error_keeps_its_exit_code_and_its_facts(error: PushtrainError) -> None:
    verdict = judge_error(record(trial(0, 0.75)), error, NOW)
    assert (verdict.state, verdict.exit_code) == (RunState.FAILED, error.exit_code)
    assert verdict.reason == str(error)
    assert verdict.error == error.as_json()
    assert (verdict.best, verdict.value) == (0, 0.75)


def test_an_error_before_anything_was_known() -> None:
    verdict = judge_error(RunRecord("r"), ObjectiveError("no target"), NOW)
    assert (verdict.objective, verdict.image, verdict.exit_code) == (None, None, 2)
