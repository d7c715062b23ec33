"""What a Jenkins server must do, held by the recordings of a real one, and by a real one itself.

    JENKINS_URL=... JENKINS_USER_ID=... JENKINS_API_TOKEN=... pytest -m jenkins tests/contract

The real one needs an agent with the label `docker` and nothing else; what the tests make there is
called `rec-...` and removed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

import pytest

from pushtrain.ci.access import Access, find_access
from pushtrain.ci.real_jenkins import RealJenkins
from pushtrain.ci.server import QueueItem, QueueState, Result
from pushtrain.errors import JenkinsDenied, JenkinsError, JenkinsNotFound
from pushtrain.settings import home
from support.jenkins_jobs import WHO_AND_LEVEL, shell_job
from support.jenkins_replay import NOTIFY_TOKEN, TOKEN, USER, Replay, replay

_MOST_WAITING = 120.0


class Site:
    """A server to try, recorded or real."""

    def __init__(self, access: Access, recorded: Replay | None) -> None:
        self.jenkins = RealJenkins(access)
        self.access = access
        self._recorded = recorded
        self._made: list[str] = []

    def job(self, name: str, configuration: str, at: int) -> None:
        """Makes a job on the real server; goes to a recording where it exists."""
        if self._recorded:
            self._recorded.at(at)
            return
        self.jenkins.remove(name)
        self.jenkins.create(name, configuration)
        self._made.append(name)

    def fresh(self, name: str, at: int) -> None:
        """Sees to it that there is no such job."""
        if self._recorded:
            self._recorded.at(at)
            return
        self.jenkins.remove(name)
        self._made.append(name)

    def pause(self) -> None:
        """Gives a real server time; a recording needs none."""
        if not self._recorded:
            time.sleep(0.3)

    def until(self, ask: Callable[[], object]) -> None:
        """Asks until the answer is yes: a few times of a recording, for a while of a server."""
        deadline = time.monotonic() + _MOST_WAITING
        for _ in range(10 if self._recorded else 10_000):
            if ask():
                return
            assert time.monotonic() < deadline, "the server is not done in time"
            self.pause()
        pytest.fail("the recording never says so")

    def started(self, job: str, parameters: Mapping[str, str] | None = None) -> tuple[int, int]:
        """Starts a build; the numbers of its queue item and of itself, once it runs."""
        queue_id = self.jenkins.start(job, parameters or {}).queue_id
        items: list[QueueItem] = []

        def look() -> bool:
            item = self.jenkins.queue_item(queue_id)
            assert item is not None
            items.append(item)
            return item.state is QueueState.STARTED

        self.until(look)
        assert items[-1].number is not None
        return queue_id, items[-1].number

    @contextmanager
    def notify_token(self) -> Iterator[str]:
        """A token for notifyCommit: the recorded one, or one that a real server makes."""
        if self._recorded:
            yield NOTIFY_TOKEN
            return
        ours = "def ours = hudson.plugins.git.ApiTokenPropertyConfiguration.get(); "
        make = "def made = ours.generateApiToken('rec'); print(made.uuid + ' ' + made.value); "
        save = "ours.save()"
        uuid, _, token = self.jenkins.ask_node("", ours + make + save).strip().partition(" ")
        try:
            yield token
        finally:
            forget = f"ours.@apiTokens.removeIf {{ it.uuid == '{uuid}' }}; "
            self.jenkins.ask_node("", ours + forget + save)

    def clean(self) -> None:
        """Removes what the test made."""
        for name in self._made:
            self.jenkins.remove(name)


def _servers() -> list[object]:
    is_live = {"JENKINS_URL", "JENKINS_USER_ID", "JENKINS_API_TOKEN"} <= os.environ.keys()
    return ["recorded", *([pytest.param("live", marks=pytest.mark.jenkins)] if is_live else [])]


@pytest.fixture(params=_servers())
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    with ExitStack() as stack:
        if request.param == "recorded":
            recorded = stack.enter_context(replay())
            yield Site(Access(recorded.url, USER, TOKEN), recorded)
            assert recorded.refused == []
        else:
            live = Site(find_access(os.environ, home()), None)
            stack.callback(live.clean)
            yield live


def test_a_server_tells_of_itself(site: Site) -> None:
    facts = site.jenkins.facts()
    assert facts.version[0].isdigit()
    assert facts.user == (site.access.user or "anonymous")
    assert not facts.is_quieting_down
    assert facts.plugins and "workflow-job" in {one.name for one in facts.plugins if one.is_active}
    assert any("docker" in node.labels and node.is_online for node in facts.nodes)
    assert site.jenkins.may_create()


def test_a_job_is_made_read_changed_and_removed(site: Site) -> None:
    site.fresh("rec-free", at=20)
    made = shell_job("echo hello; sleep 4; echo bye", description="first")
    site.jenkins.create("rec-free", made)
    found = site.jenkins.configuration("rec-free")
    assert found and "<description>first</description>" in found
    with pytest.raises(JenkinsError, match="already exists"):
        site.jenkins.create("rec-free", made)
    site.jenkins.update("rec-free", made.replace("first", "changed"))
    with pytest.raises(JenkinsError, match="500"):
        site.jenkins.update("rec-free", "<project><oops></project>")


def test_a_job_is_removed_once(site: Site) -> None:
    site.job("rec-renamed", shell_job("echo"), at=114)
    assert site.jenkins.remove("rec-renamed")
    assert not site.jenkins.remove("rec-renamed")


def test_what_is_no_job_is_not_made(site: Site) -> None:
    with pytest.raises(JenkinsError, match="500"):
        site.jenkins.create("rec-bad", "<project><oops></project>")
    with pytest.raises(JenkinsError, match="500"):
        site.jenkins.create("rec-bad2", "<?xml version='1.1' encoding='UTF-8'?><no.such.Type/>")


def test_there_is_no_such_job(site: Site) -> None:
    assert site.jenkins.configuration("rec-nope") is None
    with pytest.raises(JenkinsNotFound, match="rec-nope"):
        site.jenkins.update("rec-nope", shell_job("echo"))
    with pytest.raises(JenkinsNotFound, match="rec-nope"):
        site.jenkins.start("rec-nope", {})


def test_a_build_from_the_queue_to_its_end(site: Site) -> None:
    site.job("rec-free", shell_job("echo hello; sleep 4; echo bye"), at=43)
    queue_id, number = site.started("rec-free")
    assert number == 1
    running = site.jenkins.build("rec-free", 1)
    assert not running.is_finished
    assert running.url == f"{site.access.url}/job/rec-free/1/"
    text, end, has_more = "", 0, True
    while has_more:
        part = site.jenkins.log("rec-free", 1, end)
        text, end, has_more = text + part.text, part.end, part.has_more
        if has_more:
            site.pause()
    assert "hello\n" in text and "bye\n" in text
    assert text.endswith("Finished: SUCCESS\n")
    assert "\x1b" not in text and "8mha" not in text
    assert site.jenkins.log("rec-free", 1, 99999).text == ""
    site.until(lambda: site.jenkins.build("rec-free", 1).is_finished)
    done = site.jenkins.build("rec-free", 1)
    assert done.result is Result.SUCCESS
    assert done.seconds > 3
    item = site.jenkins.queue_item(queue_id)
    assert item and item.job == "rec-free" and item.state.is_finished


def test_an_equal_request_is_merged_with_the_one_that_waits(site: Site) -> None:
    site.job("rec-free", shell_job("sleep 2"), at=53)
    first = site.jenkins.start("rec-free", {})
    second = site.jenkins.start("rec-free", {})
    assert second.queue_id == first.queue_id
    assert (first.is_merged, second.is_merged) == (False, True)


def test_there_is_no_such_build_or_queue_item(site: Site) -> None:
    site.job("rec-free", shell_job("echo"), at=61)
    assert site.jenkins.queue_item(999999) is None
    with pytest.raises(JenkinsNotFound):
        site.jenkins.build("rec-free", 99)


def test_a_failed_build(site: Site) -> None:
    site.job("rec-fail", shell_job("exit 3"), at=66)
    if not _is_recorded(site):
        site.started("rec-fail")
    site.until(lambda: site.jenkins.build("rec-fail", 1).is_finished)
    assert site.jenkins.build("rec-fail", 1).result is Result.FAILURE


def test_a_running_build_is_stopped_and_a_finished_one_left_alone(site: Site) -> None:
    site.job("rec-slow", shell_job("sleep 300"), at=70)
    if not _is_recorded(site):
        site.started("rec-slow")
    site.jenkins.stop("rec-slow", 1)
    site.until(lambda: site.jenkins.build("rec-slow", 1).is_finished)
    assert site.jenkins.build("rec-slow", 1).result is Result.ABORTED
    site.jenkins.stop("rec-slow", 1)
    with pytest.raises(JenkinsNotFound):
        site.jenkins.stop("rec-slow", 99)


def test_a_request_that_no_node_takes(site: Site) -> None:
    site.job("rec-stuck", shell_job("echo", label="no-such-label"), at=77)
    queue_id = site.jenkins.start("rec-stuck", {}).queue_id
    states = []

    def look() -> bool:
        item = site.jenkins.queue_item(queue_id)
        assert item
        states.append(item.state)
        return item.state is QueueState.BUILDABLE and "no-such-label" in item.why

    site.until(look)
    assert states[0] is QueueState.WAITING


def test_a_request_behind_a_running_build(site: Site) -> None:
    site.job("rec-block", shell_job("sleep 60"), at=83)
    if not _is_recorded(site):
        site.started("rec-block")
    queue_id = site.jenkins.start("rec-block", {}).queue_id
    seen: list[QueueItem] = []

    def look() -> bool:
        item = site.jenkins.queue_item(queue_id)
        assert item
        seen.append(item)
        return item.state is QueueState.BLOCKED

    site.until(look)
    assert "already in progress" in seen[-1].why
    if not _is_recorded(site):
        site.jenkins.stop("rec-block", 1)


def test_a_build_with_parameters(site: Site) -> None:
    site.job("rec-par", shell_job("echo", parameters=WHO_AND_LEVEL), at=90)
    if _is_recorded(site):
        queue_id, number = 89, 1
        assert site.jenkins.start("rec-par", {"WHO": "form"}).queue_id
    else:
        queue_id, number = site.started("rec-par", {"WHO": "team", "LEVEL": "high"})
    site.until(lambda: site.jenkins.build("rec-par", number).is_finished)
    build = site.jenkins.build("rec-par", number)
    assert build.parameters["LEVEL"] == "high"
    item = site.jenkins.queue_item(queue_id)
    assert item and item.parameters["LEVEL"] == "high"
    past = site.jenkins.builds("rec-par")
    assert [(one.number, one.result) for one in past] == [(1, Result.SUCCESS)]
    assert past[0].parameters["LEVEL"] == "high"


def test_a_job_with_parameters_takes_its_defaults(site: Site) -> None:
    site.job("rec-par", shell_job("echo", parameters=WHO_AND_LEVEL), at=93)
    assert site.jenkins.start("rec-par", {}).queue_id > 0


def test_a_disabled_job(site: Site) -> None:
    configuration = shell_job("echo").replace("<disabled>false", "<disabled>true")
    site.job("rec-free", configuration, at=103)
    with pytest.raises(JenkinsError, match="rec-free is disabled"):
        site.jenkins.start("rec-free", {})


def test_jobs_in_a_folder(site: Site) -> None:
    folder = "<com.cloudbees.hudson.plugins.folder.Folder/>"
    site.job("rec-folder", folder, at=155)
    site.jenkins.create("rec-folder/inner", shell_job("echo inner"))
    assert site.jenkins.jobs("rec-folder") == ("rec-folder/inner",)
    number = 1 if _is_recorded(site) else site.started("rec-folder/inner")[1]
    build = site.jenkins.build("rec-folder/inner", number)
    assert build.url == f"{site.access.url}/job/rec-folder/job/inner/1/"
    assert site.jenkins.remove("rec-folder")


def test_notify_commit_wants_its_own_token(site: Site) -> None:
    with pytest.raises(JenkinsDenied, match="notifyCommit"):
        site.jenkins.notify_commit("file:///srv/git/rec.git", "wrong")


def test_notify_commit_that_nobody_listens_to(site: Site) -> None:
    with site.notify_token() as token:
        assert site.jenkins.notify_commit("file:///srv/git/none.git", token) == ()


def test_a_script_on_the_controller(site: Site) -> None:
    answer = site.jenkins.ask_node("", 'println(2+3)\nprint(")]}.")')
    assert answer == "5\n)]}."


def _is_recorded(site: Site) -> bool:
    return site._recorded is not None
