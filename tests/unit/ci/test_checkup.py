"""What is looked at on a server, and what each bad answer is called."""

from __future__ import annotations

from dataclasses import replace

from fakes.jenkins import NOW, FakeJenkins, all_plugins, an_agent, denied
from pushtrain.ci.checkup import findings
from pushtrain.ci.plugins import needed
from pushtrain.ci.server import ServerFacts
from pushtrain.errors import JenkinsNotFound
from pushtrain.findings import Finding, Health

PINNED = {one.name: one.version for one in needed()}


def _server(**facts: object) -> FakeJenkins:
    good = ServerFacts("2.516.2", "ann", NOW, False, all_plugins(PINNED), (an_agent(),))
    return FakeJenkins(site=replace(good, **facts))  # type: ignore[arg-type]


def _bad(server: FakeJenkins, token: str | None = "token") -> dict[str, Finding]:
    found = list(findings(server, token, lambda: NOW))
    assert all(bool(one.remedy) == (one.health is not Health.OK) for one in found)
    return {one.subject: one for one in found if one.health is not Health.OK}


def test_a_good_server_has_no_bad_finding() -> None:
    assert _bad(_server()) == {}


def test_rights() -> None:
    server = _server()
    server.can_create = False
    assert _bad(server)["rights"].health is Health.PROBLEM


def test_plugins() -> None:
    missing = {name: version for name, version in PINNED.items() if name not in {"git", "github"}}
    found = _bad(_server(plugins=all_plugins(missing)))
    assert found["plugin git"].health is Health.PROBLEM
    assert found["plugin github"].health is Health.WARNING
    old = _bad(_server(plugins=all_plugins({**PINNED, "git": "5.2.0", "junit": "1.v9"})))
    assert set(old) == {"plugin git", "plugin junit"}
    assert "is 5.2.0, tried with" in old["plugin git"].message
    newer = _bad(_server(plugins=all_plugins({**PINNED, "git": "5.11.0", "junit": "9999.vab"})))
    assert newer == {}
    assert _bad(_server(plugins=None))["plugins"].health is Health.WARNING


def test_a_pipeline_that_the_server_does_not_understand() -> None:
    server = _server()
    server.linter_says = "Errors encountered validating Jenkinsfile:\n@ line 4"
    found = _bad(server)["pipeline"]
    assert (found.health, "@ line 4" in found.message) == (Health.PROBLEM, True)
    server.linter_says = JenkinsNotFound("there is no linter")
    assert _bad(server) == {}


def test_agents() -> None:
    for nodes in ((), (an_agent(labels=("linux",)),), (an_agent(is_online=False),)):
        assert _bad(_server(nodes=nodes))["agents"].health is Health.PROBLEM
    slow = _bad(_server(nodes=(an_agent(skew=90.0),)))
    assert "90 s" in slow["agent agent"].message
    busy = _bad(_server(nodes=(an_agent(executors=1),)))
    assert "the monitor waits" in busy["executors"].message
    assert _bad(_server(nodes=(an_agent(executors=1), an_agent(name="b", executors=1)))) == {}


def test_an_engine_that_does_not_answer_and_one_that_we_may_not_ask() -> None:
    server = _server()
    server.nodes_say = "1 Cannot connect to the Docker daemon"
    assert "Cannot connect" in _bad(server)["agent agent"].message
    server.nodes_say = denied()
    assert _bad(server)["agent agent"].health is Health.WARNING


def test_the_token_of_notify_commit() -> None:
    assert _bad(_server(), None)["notifyCommit"].health is Health.WARNING
    server = _server()
    server.listeners = denied()
    assert _bad(server)["notifyCommit"].health is Health.PROBLEM


def test_clock_age_and_shutdown() -> None:
    assert "60 s" in _bad(_server(time=NOW + 60))["clock"].message
    assert "older" in _bad(_server(version="2.401.1"))["server"].message
    assert "shut down" in _bad(_server(is_quieting_down=True))["server"].message
