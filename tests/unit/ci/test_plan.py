"""From what is wanted and what is there to what is done."""

from __future__ import annotations

from pushtrain.ci.apply import wanted
from pushtrain.ci.definitions import Training
from pushtrain.ci.plan import Action, Cause, plan

TRAINING = Training("https://git.example.org/digits.git", target="0.9")


def _there(training: Training = TRAINING) -> dict[str, str | None]:
    return {one.name: one.configuration for one in wanted(training)}


def test_everything_is_made_on_an_empty_server_and_a_folder_before_what_is_in_it() -> None:
    changes = plan(wanted(TRAINING), {})
    assert {change.action for change in changes} == {Action.CREATE}
    names = [change.definition.name for change in changes]
    assert names == ["pushtrain", "pushtrain/monitor", "pushtrain/digits", "pushtrain/Training"]


def test_what_is_there_already_is_kept() -> None:
    assert {change.action for change in plan(wanted(TRAINING), _there())} == {Action.KEEP}


def test_another_wish_changes_its_job_alone() -> None:
    changes = plan(wanted(Training(TRAINING.repository, target="0.95")), _there())
    changed = [change for change in changes if change.action is not Action.KEEP]
    assert [change.definition.name for change in changed] == ["pushtrain/digits"]
    assert changed[0].cause is Cause.DEFINITION
    assert any("defaultValue: 0.95" in line for line in changed[0].difference)


def test_a_change_by_hand_is_told_from_a_new_wish() -> None:
    there = _there()
    by_hand = (there["pushtrain/digits"] or "").replace("<spec>H H/6", "<spec>H H/2")
    there["pushtrain/digits"] = by_hand
    changes = {c.definition.name: c for c in plan(wanted(TRAINING), there)}
    assert changes["pushtrain/digits"].cause is Cause.BY_HAND
    assert changes["pushtrain/digits"].before == there["pushtrain/digits"]
    assert changes["pushtrain/monitor"].action is Action.KEEP


def test_something_else_of_that_name_is_told() -> None:
    foreign = "<flow-definition><description>mine</description></flow-definition>"
    changes = plan(wanted(TRAINING), {**_there(), "pushtrain/digits": foreign})
    assert [c.cause for c in changes if c.action is Action.UPDATE] == [Cause.FOREIGN]
