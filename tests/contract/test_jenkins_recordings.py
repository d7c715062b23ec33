"""Whatever a real Jenkins was recorded to say: the client reads it, or says why it cannot."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from xml.etree import ElementTree as ET

import pytest

from pushtrain.ci.access import Access
from pushtrain.ci.configuration import difference, fingerprint
from pushtrain.ci.connection import Connection
from pushtrain.ci.definitions import Training, pipeline
from pushtrain.ci.real_jenkins import RealJenkins
from pushtrain.errors import JenkinsDenied, JenkinsError, JenkinsNotFound, PushtrainError
from support.jenkins_replay import PASSWORD, TOKEN, USER, Exchange, Replay, recordings, replay

_BUILD = re.compile(r"/job/(.+)/(\d+)/api/json")
_ITEM = re.compile(r"/queue/item/(\d+)/api/json")
_LOG = re.compile(r"/job/(.+)/(\d+)/logText/progressiveText\?start=(\d+)")
_LOGINS = {"token": (USER, TOKEN), "stranger": (USER, "wrong"), "anonymous": (None, None)}
_ERRORS = {401: JenkinsDenied, 403: JenkinsDenied, 404: JenkinsNotFound}


@pytest.fixture
def server() -> Iterator[Replay]:
    with replay() as recorded:
        yield recorded


def _client(server: Replay, caller: str = "token") -> Access:
    user, token = _LOGINS[caller]
    return Access(server.url, user, token)


def _answered(pattern: re.Pattern[str]) -> list[Exchange]:
    """The exchanges of one kind that were answered, and that our client would ask for."""
    return [
        one
        for one in recordings()
        if (one.method, one.caller, one.status) == ("GET", "token", 200)
        and pattern.fullmatch(one.path)
    ]


def _refused() -> list[Exchange]:
    callers = {"GET": set(_LOGINS), "POST": {"token"}}
    return [
        one
        for one in recordings()
        if one.status >= 400 and one.caller in callers.get(one.method, ())
    ]


def _name(one: Exchange) -> str:
    return f"{one.number}-{one.scenario}"


def test_there_is_something_to_read() -> None:
    kinds = {one.scenario for pattern in (_BUILD, _ITEM, _LOG) for one in _answered(pattern)}
    assert {"build", "cancel", "generichook", "input", "pipe-abort", "pipe-fail", "scm"} <= kinds
    assert {one.status for one in _refused()} == {400, 401, 403, 404, 405, 409, 500}


@pytest.mark.parametrize("one", _answered(_BUILD), ids=_name)
def test_a_build_of_any_kind_and_end(one: Exchange, server: Replay) -> None:
    server.at(one.number)
    job, number = _BUILD.fullmatch(one.path).groups()  # type: ignore[union-attr]
    build = RealJenkins(_client(server)).build(job.replace("/job/", "/"), int(number))
    said = json.loads(one.body)
    assert build.is_finished is not said["building"]
    assert (build.result.value if build.result else None) == said["result"]
    assert (build.title, build.description) == (said["displayName"], said["description"] or "")
    assert build.url == f"{server.url}/job/{job}/{number}/"


@pytest.mark.parametrize("one", _answered(_ITEM), ids=_name)
def test_a_request_wherever_it_stands(one: Exchange, server: Replay) -> None:
    server.at(one.number)
    said = json.loads(one.body)
    item = RealJenkins(_client(server)).queue_item(said["id"])
    assert item is not None
    assert item.state.is_finished is said["_class"].endswith("LeftItem")
    assert item.why == (said["why"] or "")
    assert item.number == (said.get("executable") or {}).get("number")


@pytest.mark.parametrize("one", _answered(_LOG), ids=_name)
def test_a_piece_of_a_log(one: Exchange, server: Replay) -> None:
    server.at(one.number)
    job, number, start = _LOG.fullmatch(one.path).groups()  # type: ignore[union-attr]
    part = RealJenkins(_client(server)).log(job, int(number), int(start))
    assert "\x1b" not in part.text
    assert part.has_more is (one.headers.get("X-More-Data") == "true")
    assert part.end == int(one.headers["X-Text-Size"])


@pytest.mark.parametrize("one", _refused(), ids=_name)
def test_a_refusal_says_what_it_is(one: Exchange, server: Replay) -> None:
    server.at(one.number)
    connection = Connection(_client(server, one.caller))
    with pytest.raises(PushtrainError) as refused:
        if one.method == "GET":
            connection.get(one.path[1:], "this", is_anonymous=one.caller == "anonymous")
        else:
            connection.post(one.path[1:], "this", one.posted or None)
    assert type(refused.value) is _ERRORS.get(one.status, JenkinsError)
    assert refused.value.facts["status"] == one.status
    assert not {TOKEN, PASSWORD} & set(str(refused.value).split())


@pytest.mark.parametrize("number", [29, 189], ids=["freestyle", "pipeline"])
def test_a_configuration_as_jenkins_writes_it(number: int) -> None:
    (text,) = [one.body for one in recordings() if one.number == number]
    assert difference(text, text) == ()
    assert len(fingerprint(text)) == 12


def test_the_linter_says_what_it_does_not_like(server: Replay) -> None:
    jenkins = RealJenkins(_client(server))
    server.at(215)
    assert jenkins.lint("pipeline { ... }") == ""
    assert 'Unknown stage section "sh"' in jenkins.lint("pipeline { ... }")
    assert "did not contain the 'pipeline' step" in jenkins.lint("node { echo 'x' }")


def test_credentials_are_there_or_not(server: Replay) -> None:
    jenkins = RealJenkins(_client(server))
    assert jenkins.has_credentials("rec-up")
    assert not jenkins.has_credentials("rec-nope")


def test_our_trigger_asks_of_a_push_what_the_recorded_one_does() -> None:
    """Which a real generic-webhook-trigger matched, and did not match."""
    job = ET.fromstring(pipeline(Training("https://x/y.git", webhook="id")).configuration)
    ours = job.findtext(".//org.jenkinsci.plugins.gwt.GenericTrigger/regexpFilterExpression")
    answers = {
        one.number: json.loads(one.body)["jobs"]["rec-hook"]
        for one in recordings()
        if one.scenario == "generichook" and one.status == 200 and "invoke" in one.path
    }
    assert {found["regexpFilterExpression"] for found in answers.values()} == {ours}
    assert {found["triggered"] for found in answers.values()} == {True, False}
    for found in answers.values():
        assert bool(re.fullmatch(ours or "", found["regexpFilterText"])) is found["triggered"]
