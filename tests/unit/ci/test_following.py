"""From the request to the build: waiting, merged, cancelled, lost; a server that comes back."""

from __future__ import annotations

import pytest

from fakes.jenkins import NOW, FakeJenkins, a_build, an_item
from pushtrain.ci.following import EXIT_CODES, Follower, is_known
from pushtrain.ci.server import LogPart, QueueState, Result, Submission
from pushtrain.errors import JenkinsError, JenkinsUnreachable

JOB = "pushtrain/digits"
ASKED = Submission(101, False, NOW)


class Patient:
    """Says what it hears; time passes only when it waits."""

    def __init__(self, server: FakeJenkins) -> None:
        self.said: list[str] = []
        self.now = 0.0
        self.follower = Follower(server, self.said.append, self.wait, lambda: self.now)

    def wait(self, seconds: float) -> None:
        self.now += seconds


def test_a_request_waits_is_blocked_and_starts() -> None:
    server = FakeJenkins(all_builds={JOB: [a_build(number=7, result=None)]})
    server.looks = [
        an_item(101, QueueState.WAITING, why="In the quiet period. Expires in 4.9 sec"),
        an_item(101, QueueState.WAITING, why="In the quiet period. Expires in 3.9 sec"),
        an_item(101, QueueState.BLOCKED, why="Build #6 is already in progress"),
        an_item(101, QueueState.STARTED),  # Jenkins has not named the build yet
        an_item(101, QueueState.STARTED, number=7),
    ]
    patient = Patient(server)
    started = patient.follower.to_build(JOB, ASKED)
    assert (started.build.number, started.is_merged) == (7, False)
    assert patient.said == [
        "waiting: In the quiet period",
        "blocked: Build #6 is already in progress",
    ]


@pytest.mark.parametrize(("age", "is_merged"), [(0.0, False), (-0.4, False), (-30.0, True)])
def test_a_request_that_was_there_before_was_merged(age: float, is_merged: bool) -> None:
    server = FakeJenkins(all_builds={JOB: [a_build(number=7)]})
    server.looks = [an_item(101, QueueState.STARTED, number=7, since=NOW + age)]
    assert Patient(server).follower.to_build(JOB, ASKED).is_merged is is_merged


def test_a_cancelled_request() -> None:
    server = FakeJenkins(looks=[an_item(101, QueueState.CANCELLED)])
    with pytest.raises(JenkinsError, match="cancelled"):
        Patient(server).follower.to_build(JOB, ASKED)


def test_a_request_that_jenkins_forgot_is_found_by_its_build() -> None:
    server = FakeJenkins(looks=[None])
    server.all_builds[JOB] = [a_build(number=9, queue_id=102), a_build(number=8, queue_id=101)]
    assert Patient(server).follower.to_build(JOB, ASKED).build.number == 8


def test_a_lost_request() -> None:
    server = FakeJenkins(looks=[None])
    with pytest.raises(JenkinsError, match="is lost"):
        Patient(server).follower.to_build(JOB, ASKED)


def test_a_restart_is_waited_for_and_an_absence_is_not() -> None:
    away = JenkinsUnreachable("Jenkins is away")
    server = FakeJenkins(all_builds={JOB: [a_build(number=7)]})
    server.looks = [away, away, an_item(101, QueueState.STARTED, number=7)]
    patient = Patient(server)
    assert patient.follower.to_build(JOB, ASKED).build.number == 7
    assert patient.said == ["Jenkins is away; trying again"]
    with pytest.raises(JenkinsUnreachable):
        Patient(FakeJenkins(looks=[away])).follower.to_build(JOB, ASKED)


def test_a_log_is_followed_to_the_result() -> None:
    server = FakeJenkins()
    running, done = a_build(number=7, result=None), a_build(number=7, result=Result.UNSTABLE)
    server.all_builds[JOB] = [done]
    server.logs[7] = [LogPart("a", 1, True), LogPart("b", 2, True), LogPart("c", 3, False)]
    written: list[str] = []
    assert Patient(server).follower.to_end(running, written.append) == done
    assert "".join(written) == "abc"


def test_each_result_has_the_exit_code_of_its_run() -> None:
    assert {result.value: EXIT_CODES[result] for result in Result} == {
        "SUCCESS": 0,
        "UNSTABLE": 3,
        "FAILURE": 1,
        "NOT_BUILT": 130,
        "ABORTED": 130,
    }


def test_a_value_is_known_from_the_queue_or_from_a_build() -> None:
    server = FakeJenkins()
    assert not is_known(server, JOB, "COMMIT", "abc")
    server.waiting = [an_item(101, QueueState.WAITING, parameters={"COMMIT": "abc"})]
    assert is_known(server, JOB, "COMMIT", "abc")
    assert not is_known(server, "pushtrain/other", "COMMIT", "abc")
    server.waiting = []
    server.all_builds[JOB] = [a_build(parameters={"COMMIT": "abc"})]
    assert is_known(server, JOB, "COMMIT", "abc")
    assert not is_known(server, JOB, "COMMIT", "def")
