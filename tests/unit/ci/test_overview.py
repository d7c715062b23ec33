"""The table of all jobs."""

from __future__ import annotations

import pytest

from fakes.jenkins import FakeJenkins, a_build, an_item
from pushtrain.ci.overview import overview
from pushtrain.ci.server import QueueState, Result
from pushtrain.errors import JenkinsNotFound

JOB = "pushtrain/digits"


def test_a_job_with_a_history() -> None:
    server = FakeJenkins(items={"pushtrain": "", JOB: "", "pushtrain/monitor": ""})
    server.all_builds[JOB] = [
        a_build(number=4, result=None),
        a_build(number=3, description="accuracy 0.97 of 0.97"),
        a_build(number=2, result=Result.UNSTABLE),
        a_build(number=1, result=Result.FAILURE),
    ]
    server.waiting = [an_item(101, QueueState.BLOCKED)]
    digits, monitor = overview(server)
    assert digits.last and digits.last.number == 3
    assert [build.number for build in digits.running] == [4]
    assert (digits.trend, digits.waiting) == ("x~+", 1)
    assert monitor.job == "pushtrain/monitor" and monitor.last is None


def test_a_server_without_us_says_what_to_do() -> None:
    with pytest.raises(JenkinsNotFound, match="jenkins apply"):
        overview(FakeJenkins())
