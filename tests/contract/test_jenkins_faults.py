"""A Jenkins that refuses, a Jenkins that is not there, and what only looks like one."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from pushtrain.ci.access import Access
from pushtrain.ci.definitions import view
from pushtrain.ci.real_jenkins import RealJenkins
from pushtrain.ci.server import ItemKind
from pushtrain.errors import (
    JenkinsDenied,
    JenkinsError,
    JenkinsNotFound,
    JenkinsSilent,
    JenkinsUnreachable,
)
from support.jenkins_jobs import shell_job
from support.jenkins_replay import NOTIFY_TOKEN, PASSWORD, TOKEN, USER, Fault, Replay, replay


@pytest.fixture
def recorded() -> Iterator[Replay]:
    with replay() as server:
        yield server
        assert server.refused == []


@pytest.fixture
def jenkins(recorded: Replay) -> RealJenkins:
    return RealJenkins(Access(recorded.url, USER, TOKEN, seconds=5))


def test_a_wrong_token_is_told_from_a_missing_right(recorded: Replay) -> None:
    with pytest.raises(JenkinsDenied, match="does not know admin") as stranger:
        RealJenkins(Access(recorded.url, USER, "wrong")).facts()
    assert stranger.value.exit_code == 2
    assert "JENKINS_API_TOKEN" in stranger.value.hint
    with pytest.raises(JenkinsDenied, match="does not let an anonymous caller"):
        RealJenkins(Access(recorded.url)).facts()


def test_a_token_needs_no_crumb(jenkins: RealJenkins, recorded: Replay) -> None:
    recorded.at(20)
    jenkins.create("rec-free", shell_job("echo"))
    assert [request.path for request in recorded.requests] == ["/createItem?name=rec-free"]


def test_a_password_gets_its_crumb(recorded: Replay) -> None:
    jenkins = RealJenkins(Access(recorded.url, USER, PASSWORD))
    jenkins.create("rec-crumb", shell_job("echo"))
    assert [(r.path, r.caller) for r in recorded.requests] == [
        ("/createItem?name=rec-crumb", "password, no crumb, no session"),
        ("/crumbIssuer/api/json", "password"),
        ("/createItem?name=rec-crumb", "password, valid crumb, a session"),
    ]


def test_a_restarted_server_gives_a_new_crumb(recorded: Replay) -> None:
    jenkins = RealJenkins(Access(recorded.url, USER, PASSWORD))
    jenkins.create("rec-crumb", shell_job("echo"))
    recorded.restart()
    jenkins.create("rec-crumb", shell_job("echo"))
    assert [request.caller for request in recorded.requests[3:]] == [
        "password, invalid crumb, no session",
        "password",
        "password, valid crumb, a session",
    ]


def test_a_merged_request_is_a_redirect_to_the_one_that_waits(
    jenkins: RealJenkins, recorded: Replay
) -> None:
    def merged(path: str) -> str:
        return path.replace("rec-par/buildWithParameters", "rec-par/buildWithParameters?OTHER=1")

    recorded.alias = merged
    submission = jenkins.start("rec-par", {"OTHER": "1"})
    assert (submission.queue_id, submission.is_merged) == (90, True)


def test_an_illegal_choice(jenkins: RealJenkins, recorded: Replay) -> None:
    recorded.alias = lambda path: path.replace("WithParameters", "WithParameters?LEVEL=nonsense")
    with pytest.raises(JenkinsError, match="refuses job rec-par: 500"):
        jenkins.start("rec-par", {"LEVEL": "nonsense"})


@pytest.mark.parametrize("name", ["a/b", ""])
def test_a_name_that_is_none_says_why(name: str, jenkins: RealJenkins, recorded: Replay) -> None:
    recorded.alias = lambda path: "/createItem?name=a/b" if "name=b" in path else path
    with pytest.raises(JenkinsError, match="unsafe character" if name else "No name"):
        jenkins.create(name.replace("a/b", "b"), shell_job("echo"))


def test_a_view_is_made(jenkins: RealJenkins, recorded: Replay) -> None:
    jenkins.create("rec-view", view().configuration, ItemKind.VIEW)
    (posted,) = recorded.posts("/createView?name=rec-view")
    assert "ListView" in posted.body
    recorded.alias = lambda path: path.replace(
        "/job/f/view/v/config.xml", "/job/rec-nope/config.xml"
    )
    assert jenkins.configuration("f/v", ItemKind.VIEW) is None


def test_a_cancelled_request(jenkins: RealJenkins, recorded: Replay) -> None:
    recorded.at(81)
    item = jenkins.queue_item(86)
    assert item and item.state == "cancelled" and item.state.is_finished


def test_a_server_that_shuts_down_takes_requests_all_the_same(
    jenkins: RealJenkins, recorded: Replay
) -> None:
    recorded.at(252)
    assert jenkins.facts().is_quieting_down
    assert jenkins.start("rec-free", {}).queue_id == 120
    assert [(item.id, item.state) for item in jenkins.queue()] == [(120, "waiting")]


def test_an_unstable_build(jenkins: RealJenkins) -> None:
    assert jenkins.build("rec-art", 1).result == "UNSTABLE"


@pytest.mark.parametrize(
    ("number", "result"), [(("rec-pipe", 1), "SUCCESS"), (("rec-pfail", 1), "FAILURE")]
)
def test_a_pipeline_build(
    number: tuple[str, int], result: str, jenkins: RealJenkins, recorded: Replay
) -> None:
    recorded.at(179)
    assert jenkins.build(*number).result == result


def test_a_pipeline_that_timed_out_is_aborted(jenkins: RealJenkins) -> None:
    assert jenkins.build("rec-pabort", 2).result == "ABORTED"


def test_what_a_pipeline_says_of_itself(jenkins: RealJenkins) -> None:
    build = jenkins.build("rec-pipe", 1)
    assert (build.title, build.description) == ("#1", "greeted world")


def test_notify_commit_says_who_listens(jenkins: RealJenkins, recorded: Replay) -> None:
    listening = f"{recorded.url}/job/rec-scm/"
    assert jenkins.notify_commit("file:///srv/git/rec.git", NOTIFY_TOKEN) == (listening,)
    commit = "6247faba156d8fd1a0e02acdccad3f82625efb3c"
    told = jenkins.notify_commit("file:///srv/git/rec.git", NOTIFY_TOKEN, "main", commit)
    assert told == (listening,)
    assert jenkins.notify_commit("file:///srv/git/none.git", NOTIFY_TOKEN) == ()


def test_a_connection_that_is_refused_did_nothing() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(JenkinsUnreachable, match="refused") as away:
            RealJenkins(Access(url, USER, TOKEN)).start("rec-free", {})
    assert not isinstance(away.value, JenkinsSilent)
    assert away.value.exit_code == 4


def test_a_name_that_nobody_knows() -> None:
    with pytest.raises(JenkinsUnreachable, match="cannot be reached") as away:
        RealJenkins(Access("http://jenkins.invalid", USER, TOKEN)).facts()
    assert not isinstance(away.value, JenkinsSilent)


@pytest.mark.parametrize("fault", [Fault.SLOW, Fault.RESET])
def test_no_answer_leaves_open_whether_it_was_done(fault: Fault, recorded: Replay) -> None:
    recorded.fault = fault
    jenkins = RealJenkins(Access(recorded.url, USER, TOKEN, seconds=0.3))
    with pytest.raises(JenkinsSilent, match="was asked for job rec-free"):
        jenkins.start("rec-free", {})
    assert len(recorded.posts("/build")) == 1


def test_half_an_answer_is_none(jenkins: RealJenkins, recorded: Replay) -> None:
    recorded.fault = Fault.HALF
    with pytest.raises(JenkinsSilent, match="broke off"):
        jenkins.build("rec-free", 1)


def test_a_server_that_is_getting_ready(jenkins: RealJenkins, recorded: Replay) -> None:
    recorded.fault = Fault.STARTING
    with pytest.raises(JenkinsUnreachable, match="not ready"):
        jenkins.start("rec-free", {})


def test_a_page_where_json_is_due(jenkins: RealJenkins, recorded: Replay) -> None:
    recorded.fault = Fault.HTML
    with pytest.raises(JenkinsUnreachable, match="is not Jenkins"):
        jenkins.facts()
    with pytest.raises(JenkinsUnreachable, match="is not Jenkins"):
        jenkins.build("rec-free", 1)


def test_behind_a_context_path() -> None:
    with replay(prefix="/jenkins") as server:
        server.at(43)
        jenkins = RealJenkins(Access(server.url, USER, TOKEN))
        assert jenkins.start("rec-free", {}).queue_id == 81
        assert jenkins.build("rec-free", 1).url == f"{server.url}/job/rec-free/1/"
        assert server.refused == []
        with pytest.raises(JenkinsError):
            RealJenkins(Access(server.url.removesuffix("/jenkins") + "/nope", USER, TOKEN)).facts()


def test_with_a_certificate_of_ones_own_authority(tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    with replay(tls=context) as server:
        with pytest.raises(JenkinsUnreachable, match="not trusted"):
            RealJenkins(Access(server.url, USER, TOKEN)).facts()
        trusting = RealJenkins(Access(server.url, USER, TOKEN, ca_file=str(ca_file)))
        assert trusting.facts().user == USER


def test_secrets_are_in_no_error(recorded: Replay) -> None:
    with pytest.raises(JenkinsDenied) as denied:
        RealJenkins(Access(recorded.url, USER, "s3cret")).facts()
    assert "s3cret" not in f"{denied.value} {denied.value.as_json()} {Access('u', 'a', 's3cret')}"


def test_a_job_that_is_gone_is_not_found(jenkins: RealJenkins) -> None:
    with pytest.raises(JenkinsNotFound):
        jenkins.start("rec-nope", {})
