"""Waiting pushes: the newest of each branch, once, and never lost."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from fakes.jenkins import FakeJenkins, a_build, denied
from pushtrain.ci.access import Access
from pushtrain.ci.delivery import Deliverer
from pushtrain.ci.server import QueueItem, Submission
from pushtrain.ci.spool import Spool, WaitingPush
from pushtrain.errors import JenkinsSilent, JenkinsUnreachable, SettingsError
from pushtrain.lease import Lookout, Standing
from support.paused import hurry, other, until

LOGIN = Access("http://jenkins.example.org", "ann", "token")
JOB = "pushtrain/digits"


TOKEN_ONLY = Access("http://jenkins.example.org", notify_token="token")


def _push(commit: str, branch: str = "main", job: str = JOB) -> WaitingPush:
    return WaitingPush(job, "https://git.example.org/digits.git", branch, commit)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


def test_a_push_is_delivered_once(spool: Spool) -> None:
    server = FakeJenkins()
    spool.add(_push("a"))
    assert [one.error for one in Deliverer(server, LOGIN, spool).flush()] == [None]
    assert server.submissions == [(JOB, {"COMMIT": "a"})]
    assert Deliverer(server, LOGIN, spool).flush() == ()
    spool.add(_push("a"))  # two hooks that ran at once both saw the newer commit
    Deliverer(server, LOGIN, spool).flush()
    assert len(server.submissions) == 1
    assert spool.waiting() == ()


def test_the_newest_of_each_branch_waits(spool: Spool) -> None:
    for push in (_push("a"), _push("b", "dev"), _push("c")):
        spool.add(push)
    assert {push.commit for push in spool.waiting()} == {"b", "c"}


def test_each_job_of_a_branch_gets_its_newest_push(spool: Spool) -> None:
    server = FakeJenkins()
    for commit in ("a", "b"):
        for job in (JOB, "pushtrain/strict"):
            spool.add(_push(commit, job=job))
    Deliverer(server, LOGIN, spool).flush()
    assert sorted(server.submissions) == [
        (JOB, {"COMMIT": "b"}),
        ("pushtrain/strict", {"COMMIT": "b"}),
    ]


def test_a_branch_that_goes_back_is_delivered_again(spool: Spool) -> None:
    server = FakeJenkins()
    for commit in ("a", "b", "a"):
        spool.add(_push(commit))
        Deliverer(server, LOGIN, spool).flush()
    assert [parameters["COMMIT"] for _, parameters in server.submissions] == ["a", "b", "a"]


def test_what_an_absent_server_did_not_take_waits(spool: Spool) -> None:
    class Away(FakeJenkins):
        def start(self, *_: object) -> Submission:
            raise JenkinsUnreachable("away")

    spool.add(_push("a"))
    (delivery,) = Deliverer(Away(), LOGIN, spool).flush()
    assert isinstance(delivery.error, JenkinsUnreachable)
    assert [push.commit for push in spool.waiting()] == ["a"]
    server = FakeJenkins()
    server.all_builds[JOB] = [a_build(parameters={"COMMIT": "a"})]  # built by hand meanwhile
    Deliverer(server, LOGIN, spool).flush()
    assert len(server.submissions) == 1, "what did not arrive for certain is sent, not looked for"


def test_what_a_silent_server_may_have_taken_is_looked_for_before_it_is_sent_again(
    spool: Spool,
) -> None:
    class Silent(FakeJenkins):
        def start(self, *_: object) -> Submission:
            raise JenkinsSilent("no answer")

    spool.add(_push("a"))
    Deliverer(Silent(), LOGIN, spool).flush()
    arrived = FakeJenkins()
    arrived.all_builds[JOB] = [a_build(parameters={"COMMIT": "a"})]
    Deliverer(arrived, LOGIN, spool).flush()
    assert arrived.submissions == []
    assert spool.waiting() == ()
    spool.add(_push("b"))
    Deliverer(Silent(), LOGIN, spool).flush()
    lost = FakeJenkins()
    Deliverer(lost, LOGIN, spool).flush()
    assert [parameters["COMMIT"] for _, parameters in lost.submissions] == ["b"]


def test_a_newer_push_that_comes_during_a_delivery_is_delivered_too(spool: Spool) -> None:
    class Pushing(FakeJenkins):
        def start(self, job: str, parameters: dict[str, str]) -> Submission:  # type: ignore[override]
            if parameters["COMMIT"] == "a":
                spool.add(_push("b"))
            return super().start(job, parameters)

    server = Pushing()
    spool.add(_push("a"))
    Deliverer(server, LOGIN, spool).flush()
    assert [parameters["COMMIT"] for _, parameters in server.submissions] == ["a", "b"]
    assert spool.waiting() == ()


def test_two_who_deliver_at_once_deliver_once(spool: Spool) -> None:
    inside, go_on = threading.Event(), threading.Event()

    class Slow(FakeJenkins):
        def start(self, job: str, parameters: dict[str, str]) -> Submission:  # type: ignore[override]
            inside.set()
            assert go_on.wait(30)
            return super().start(job, parameters)

    server = Slow()
    spool.add(_push("a"))
    first = threading.Thread(target=Deliverer(server, LOGIN, spool).flush)
    first.start()
    assert inside.wait(30)
    assert Deliverer(server, LOGIN, spool).flush() == ()
    go_on.set()
    first.join()
    assert len(server.submissions) == 1


@pytest.mark.parametrize("others", [(), ("http://jenkins.example.org/job/elsewhere/",)])
def test_a_commit_that_the_job_does_not_listen_to_is_not_delivered(
    others: tuple[str, ...], spool: Spool
) -> None:
    server = FakeJenkins(listeners=others)
    spool.add(_push("a"))
    (delivery,) = Deliverer(server, TOKEN_ONLY, spool).flush()
    assert isinstance(delivery.error, SettingsError)
    assert f"{JOB} of http://jenkins.example.org does not listen" in delivery.error.message
    server.listeners = (*others, "http://jenkins.example.org/job/pushtrain/job/digits/")
    Deliverer(server, TOKEN_ONLY, spool).flush()
    assert spool.waiting() == ()


def test_who_has_a_token_alone_tells_again_and_asks_nothing(spool: Spool) -> None:
    class Closed(FakeJenkins):
        def queue(self) -> tuple[QueueItem, ...]:
            raise denied()

    spool.add(_push("a"))
    Deliverer(Closed(listeners=JenkinsSilent("no answer")), TOKEN_ONLY, spool).flush()
    assert [push.commit for push in spool.waiting()] == ["a"]
    answered = Closed(listeners=("http://jenkins.example.org/job/pushtrain/job/digits/",))
    assert [one.error for one in Deliverer(answered, TOKEN_ONLY, spool).flush()] == [None]
    assert spool.waiting() == ()


def test_without_login_and_token_the_push_waits_and_says_so(spool: Spool) -> None:
    spool.add(_push("a"))
    (delivery,) = Deliverer(FakeJenkins(), Access("http://jenkins"), spool).flush()
    assert "neither a login nor" in str(delivery.error)
    assert len(spool.waiting()) == 1


def test_one_refused_push_does_not_hold_up_the_others(spool: Spool) -> None:
    class Choosy(FakeJenkins):
        def start(self, job: str, parameters: dict[str, str]) -> Submission:  # type: ignore[override]
            if parameters["COMMIT"] == "bad":
                raise JenkinsUnreachable("away")
            return super().start(job, parameters)

    server = Choosy()
    spool.add(_push("bad", "dev"))
    spool.add(_push("good"))
    Deliverer(server, LOGIN, spool).flush()
    assert [parameters["COMMIT"] for _, parameters in server.submissions] == ["good"]
    assert [push.commit for push in spool.waiting()] == ["bad"]


def test_a_process_that_is_paused_while_it_delivers_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    spool = Spool(tmp_path)

    def deliver(pipe: Any) -> None:
        with spool.flushing() as is_ours:
            pipe.send(is_ours)
            pipe.recv()

    with other(deliver) as first:
        assert first.hear() is True
        with spool.flushing() as is_ours:
            assert not is_ours
        first.pause()
        lookout = Lookout()
        until(lambda: lookout.look(tmp_path / ".lease") is Standing.SILENT)
        with spool.flushing() as is_ours:
            assert is_ours
        assert first.end() == -signal.SIGKILL


def test_a_branch_that_is_no_text_keeps_no_other_push_waiting(tmp_path: Path) -> None:
    """scripts/post-receive keeps the bytes that Git gives it."""
    spool = Spool(tmp_path)
    push = WaitingPush("pushtrain/digits", "https://x/y.git", "main", "2" * 40)
    spool.add(push)
    odd = tmp_path / ("0" * 32)
    odd.write_bytes(b"pushtrain/digits\nhttps://x/y.git\nd\xe9v\n" + b"1" * 40 + b"\n")
    assert spool.waiting() == (push,)
    assert spool.waiting() == (push,)
    assert [path.name for path in tmp_path.glob(".*.unreadable")] == [f".{odd.name}.unreadable"]
