"""The commands of `pushtrain jenkins`, with a server in memory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fakes.jenkins import FakeJenkins, a_build, an_agent, an_item, denied
from pushtrain.ci.server import LogPart, QueueState, ServerFacts
from pushtrain.ci.server import Result as BuildResult
from pushtrain.cli.jenkins import command
from pushtrain.cli.jenkins import server as opening
from pushtrain.errors import UsageError

REPO = "https://git.example.org/digits.git"
JOB = "pushtrain/digits"


@pytest.fixture
def jenkins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeJenkins:
    fake = FakeJenkins()
    monkeypatch.setattr(opening, "RealJenkins", lambda _access: fake)
    monkeypatch.setenv("JENKINS_URL", "http://jenkins.example.org")
    monkeypatch.setenv("PUSHTRAIN_HOME", str(tmp_path))
    return fake


def _call(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


def test_apply_shows_makes_and_starts_the_first_build(jenkins: FakeJenkins) -> None:
    result = _call("apply", "--repo", REPO, "--target", "0.97")
    assert result.exit_code == 0, result.output
    assert f"create  job {JOB}: missing" in result.output
    assert "http://jenkins.example.org/job/pushtrain/job/digits/" in result.output
    assert jenkins.submissions == [(JOB, {"COMMIT": ""})]
    again = _call("apply", "--repo", REPO, "--target", "0.97", "--json")
    found = json.loads(again.output)
    assert {one["action"] for one in found["changes"]} == {"keep"}
    assert not found["first_build"]
    assert len(jenkins.submissions) == 1


def test_apply_tells_of_credentials_that_are_missing(jenkins: FakeJenkins) -> None:
    used = ("apply", "--repo", REPO, "--credentials", "key", "--webhook", "hook")
    jenkins.credentials = {"key"}
    said = _call(*used)
    assert said.exit_code == 0
    assert "no credentials hook" in said.stderr and "no credentials key" not in said.stderr
    assert json.loads(_call(*used, "--json").stdout)["missing_credentials"] == ["hook"]
    jenkins.credentials = denied()
    assert "credentials" not in _call(*used).stderr


def test_apply_does_not_take_anothers_job(jenkins: FakeJenkins) -> None:
    assert _call("apply", "--repo", REPO).exit_code == 0
    other = _call("apply", "--repo", REPO.replace("git.", "other."))
    assert isinstance(other.exception, UsageError)
    assert _call("apply", "--repo", REPO.replace("git.", "other."), "--name", "two").exit_code == 0
    assert {"pushtrain/digits", "pushtrain/two"} <= jenkins.items.keys()


def test_diff_shows_and_touches_nothing(jenkins: FakeJenkins) -> None:
    assert _call("apply", "--repo", REPO, "--no-build").exit_code == 0
    assert jenkins.submissions == []
    jenkins.calls.clear()
    result = _call("diff", "--repo", REPO, "--target", "0.9")
    assert result.exit_code == 1
    assert "its definition has changed" in result.output
    assert "+          defaultValue: 0.9" in result.output
    assert _call("diff", "--repo", REPO).exit_code == 0
    assert jenkins.calls == []


def test_trigger_gives_the_number_of_the_build_and_its_exit_code(jenkins: FakeJenkins) -> None:
    jenkins.looks = [an_item(101, QueueState.STARTED, number=7)]
    jenkins.all_builds[JOB] = [a_build(number=7, result=BuildResult.UNSTABLE)]
    jenkins.logs[7] = [LogPart("training\n", 9, False)]
    result = _call("trigger", "digits", "--target", "0.99")
    assert result.exit_code == 0
    assert f"{JOB} #7" in result.output
    assert jenkins.submissions == [(JOB, {"TARGET": "0.99"})]
    waited = _call("trigger", "digits", "--wait", "--json")
    assert json.loads(waited.output)["result"] == "UNSTABLE"
    assert waited.exit_code == 3


def test_status_is_one_table(jenkins: FakeJenkins) -> None:
    jenkins.items = {"pushtrain": "", JOB: ""}
    jenkins.all_builds[JOB] = [a_build(description="accuracy 0.9712 of 0.97")]
    result = _call("status")
    assert result.output.splitlines()[1].split()[0] == "digits"
    assert "accuracy 0.9712 of 0.97" in result.output
    assert json.loads(_call("status", "--json").output)[0]["job"] == JOB


def test_remove_wants_a_job_or_all(jenkins: FakeJenkins) -> None:
    assert isinstance(_call("remove").exception, UsageError)
    assert _call("apply", "--repo", REPO, "--no-build").exit_code == 0
    assert json.loads(_call("remove", "digits", "--json").output)["removed"] == [JOB, "pushtrain"]


def test_check_exits_1_on_a_problem(jenkins: FakeJenkins) -> None:
    jenkins.site = ServerFacts("2.516.2", "ann", 0, False, None, (an_agent(),))
    assert _call("check").exit_code == 0
    jenkins.can_create = False
    result = _call("check", "--json")
    assert result.exit_code == 1
    assert "problem" in {one["health"] for one in json.loads(result.output)}
