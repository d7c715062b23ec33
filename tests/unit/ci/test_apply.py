"""A server brought to what is wanted, and left alone when it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fakes.jenkins import FakeJenkins
from pushtrain.ci.apply import carry_out, check_name, look, wanted
from pushtrain.ci.definitions import Training
from pushtrain.ci.plan import Action, Cause
from pushtrain.errors import JenkinsError, UsageError

DIGITS = Training("https://git.example.org/digits.git")
WINE = Training("https://git.example.org/wine.git")


def _apply(server: FakeJenkins, keep: Path, training: Training | None = DIGITS) -> None:
    carry_out(server, look(server, wanted(training)), keep)


def test_the_second_time_nothing_is_touched(tmp_path: Path) -> None:
    server = FakeJenkins()
    _apply(server, tmp_path)
    assert [verb for verb, _ in server.calls] == ["create"] * 4
    server.calls.clear()
    _apply(server, tmp_path)
    assert server.calls == []


def test_a_second_repository_adds_its_job_alone(tmp_path: Path) -> None:
    server = FakeJenkins()
    _apply(server, tmp_path)
    server.calls.clear()
    _apply(server, tmp_path, WINE)
    assert server.calls == [("create", "pushtrain/wine")]


def test_what_all_share_is_made_without_a_repository(tmp_path: Path) -> None:
    server = FakeJenkins()
    _apply(server, tmp_path, None)
    assert set(server.items) == {"pushtrain", "pushtrain/monitor", "pushtrain/Training"}


def test_a_change_by_hand_is_seen_then_overwritten_and_kept(tmp_path: Path) -> None:
    server = FakeJenkins()
    _apply(server, tmp_path)
    changed = server.items["pushtrain/digits"].replace("<disabled>false", "<disabled>true")
    server.items["pushtrain/digits"] = changed
    changes = [c for c in look(server, wanted(DIGITS)) if c.action is Action.UPDATE]
    assert [(c.definition.name, c.cause) for c in changes] == [("pushtrain/digits", Cause.BY_HAND)]
    assert "-  disabled: true" in changes[0].difference
    carry_out(server, changes, tmp_path)
    assert "<disabled>false" in server.items["pushtrain/digits"]
    assert [path.read_text() for path in tmp_path.iterdir()] == [changed]


def test_two_who_apply_at_once_do_not_fail(tmp_path: Path) -> None:
    server = FakeJenkins()
    changes = look(server, wanted(DIGITS))
    _apply(server, tmp_path)
    carry_out(server, changes, tmp_path)
    assert set(server.calls[4:]) == {("update", name) for name in server.items}


def test_a_server_that_does_not_take_a_job_says_so(tmp_path: Path) -> None:
    class Refusing(FakeJenkins):
        def create(self, *args: object, **options: object) -> None:
            raise JenkinsError("500 it does not like it")

    with pytest.raises(JenkinsError, match="does not like it"):
        _apply(Refusing(), tmp_path)


@pytest.mark.parametrize(
    "other",
    [
        Training("https://git.example.org/another-team/digits.git"),
        Training("https://git.example.org/digits.git", name="digits", branch="dev"),
    ],
    ids=["repository", "branch"],
)
def test_a_job_is_not_made_anothers_by_chance(other: Training, tmp_path: Path) -> None:
    server = FakeJenkins()
    _apply(server, tmp_path, other)
    with pytest.raises(UsageError, match=r"already: Trains https.*--name"):
        check_name(DIGITS, look(server, wanted(DIGITS)))
    named = replace(DIGITS, name="digits")
    check_name(named, look(server, wanted(named)))
    check_name(WINE, look(server, wanted(WINE)))


def test_jobs_of_one_repository_live_side_by_side(tmp_path: Path) -> None:
    server = FakeJenkins()
    jobs = (DIGITS, replace(DIGITS, branch="dev"), replace(DIGITS, name="strict", target="0.99"))
    for training in jobs:
        check_name(training, look(server, wanted(training)))
        _apply(server, tmp_path, training)
    assert server.jobs("pushtrain") == (
        "pushtrain/monitor",
        "pushtrain/digits",
        "pushtrain/digits-dev",
        "pushtrain/strict",
    )
    for training in jobs:
        assert {c.action for c in look(server, wanted(training))} == {Action.KEEP}
