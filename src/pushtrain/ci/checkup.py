"""Whether a server can do what pushtrain wants of it: each finding with its remedy."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator

from pushtrain.ci.definitions import jenkinsfile
from pushtrain.ci.plugins import Pinned, needed
from pushtrain.ci.server import JenkinsServer, Node, Plugin, ServerFacts
from pushtrain.errors import JenkinsDenied, JenkinsError, JenkinsNotFound
from pushtrain.findings import Finding, Health

LABEL = "docker"
"""The label of the agents that train."""
_MOST_SKEW = 30.0
_ENGINE = (
    'def p = ["docker", "version", "--format", "{{.Server.Version}}"].execute(); '
    'p.waitForOrKill(10000); println(p.exitValue() + " " + p.text.trim() + p.err.text.trim())'
)
_NOBODY = "file:///nobody/listens/to/this.git"
_OLDEST = (2, 479)


def findings(
    server: JenkinsServer, notify_token: str | None, now: Callable[[], float] = time.time
) -> Iterator[Finding]:
    """Looks at everything; raises JenkinsUnreachable and JenkinsDenied when it cannot look at all.

    Args:
        server: the server.
        notify_token: the token for notifyCommit; None where there is none.
        now: this machine's clock.
    """
    facts = server.facts()
    yield _version(facts)
    yield _rights(server, facts)
    yield from _plugins(facts.plugins)
    yield from _pipeline(server)
    yield from _agents(server, facts)
    yield _notify(server, notify_token)
    yield _clock(facts, now())


def _version(facts: ServerFacts) -> Finding:
    if facts.is_quieting_down:
        return Finding(
            "server",
            Health.WARNING,
            f"Jenkins {facts.version} prepares to shut down and starts no build",
            "wait for its restart, or cancel the shutdown on its dashboard",
        )
    numbers = tuple(int(part) for part in re.findall(r"\d+", facts.version)[:2])
    if numbers < _OLDEST:
        return Finding(
            "server",
            Health.WARNING,
            f"Jenkins {facts.version} is older than {'.'.join(map(str, _OLDEST))}",
            "update Jenkins to the current LTS",
        )
    return Finding("server", Health.OK, f"Jenkins {facts.version}")


def _rights(server: JenkinsServer, facts: ServerFacts) -> Finding:
    if server.may_create():
        return Finding("rights", Health.OK, f"{facts.user} may make jobs")
    return Finding(
        "rights",
        Health.PROBLEM,
        f"{facts.user} may not make jobs",
        "ask for Job/Create, Job/Configure and View/Create, or use another user's token",
    )


def _plugins(installed: tuple[Plugin, ...] | None) -> Iterator[Finding]:
    if installed is None:
        yield Finding(
            "plugins",
            Health.WARNING,
            "we may not know which plugins are installed",
            "ask for Overall/SystemRead, or compare with jenkins/plugins.txt",
        )
        return
    there = {one.name: one for one in installed}
    bad = [finding for pinned in needed() if (finding := _plugin(pinned, there.get(pinned.name)))]
    yield from bad or [Finding("plugins", Health.OK, f"all {len(needed())} that jobs use")]


def _plugin(pinned: Pinned, there: Plugin | None) -> Finding | None:
    subject = f"plugin {pinned.name}"
    health = Health.WARNING if pinned.is_optional else Health.PROBLEM
    remedy = "install it under Manage Jenkins, Plugins"
    if there is None:
        return Finding(subject, health, f"is missing ({pinned.purpose})", remedy)
    if not there.is_active:
        return Finding(subject, health, f"is not active ({pinned.purpose})", "enable it, restart")
    if _numbers(there.version) < _numbers(pinned.version):
        text = f"is {there.version}, tried with {pinned.version}"
        return Finding(subject, Health.WARNING, text, "update it if jobs misbehave")
    return None


def _pipeline(server: JenkinsServer) -> Iterator[Finding]:
    """Whether the server understands every part of our pipeline."""
    try:
        said = server.lint(jenkinsfile())
    except JenkinsNotFound:
        return  # the plugin that would tell is missing, which is a finding already
    if said:
        remedy = "mend the plugins above; our pipeline is written for those of jenkins/plugins.txt"
        yield Finding("pipeline", Health.PROBLEM, said.replace("\n", " "), remedy)
    else:
        yield Finding("pipeline", Health.OK, "the server takes it")


def _numbers(version: str) -> tuple[int, ...]:
    """The numbers that count: 1384 of `1384.vdc05a_48f535f`, all of `5.10.1`."""
    parts = []
    for part in re.split(r"[.-]", version):
        if not part.isdigit():
            break
        parts.append(int(part))
    return tuple(parts)


def _agents(server: JenkinsServer, facts: ServerFacts) -> Iterator[Finding]:
    labelled = [node for node in facts.nodes if LABEL in node.labels]
    online = [node for node in labelled if node.is_online and node.executors]
    if not online:
        offline = ", ".join(node.name for node in labelled)
        yield Finding(
            "agents",
            Health.PROBLEM,
            f"no agent with the label {LABEL} is online{f' ({offline} is not)' if offline else ''}",
            "docs/22-jenkins-security.md shows how to add one",
        )
    if sum(node.executors for node in online) == 1:
        yield Finding(
            "executors",
            Health.WARNING,
            f"agent {online[0].name} has the only one: the monitor waits while a build trains",
            "give it two or more (its page, Configure)",
        )
    for node in online:
        yield _engine(server, node)
        if node.skew is not None and abs(node.skew) > _MOST_SKEW:
            text = f"its clock differs from the controller's by {node.skew:.0f} s"
            yield Finding(f"agent {node.name}", Health.WARNING, text, "set its clock (NTP)")


def _engine(server: JenkinsServer, node: Node) -> Finding:
    subject = f"agent {node.name}"
    try:
        code, _, text = server.ask_node(node.name, _ENGINE).strip().partition(" ")
    except JenkinsDenied:
        return Finding(
            subject,
            Health.WARNING,
            "is online; only an administrator can see whether its engine answers",
            "the first build shows it",
        )
    except JenkinsError as error:
        return Finding(subject, Health.WARNING, f"is online, but: {error.message}", error.hint)
    if code == "0":
        return Finding(subject, Health.OK, f"is online, Docker Engine {text} answers")
    return Finding(
        subject,
        Health.PROBLEM,
        f"is online, but its Docker Engine does not answer: {text or code}",
        "on the agent: `pushtrain doctor`",
    )


def _notify(server: JenkinsServer, token: str | None) -> Finding:
    if token is None:
        return Finding(
            "notifyCommit",
            Health.WARNING,
            "there is no token; pushes are told by a login, or found by polling",
            "set JENKINS_NOTIFY_TOKEN where a Git server shall do without a login",
        )
    try:
        server.notify_commit(_NOBODY, token)
    except JenkinsDenied as error:
        return Finding("notifyCommit", Health.PROBLEM, error.message, error.hint)
    return Finding("notifyCommit", Health.OK, "the token is taken")


def _clock(facts: ServerFacts, now: float) -> Finding:
    skew = facts.time - now
    if abs(skew) <= _MOST_SKEW:
        return Finding("clock", Health.OK, "agrees with this machine's")
    text = f"Jenkins' clock differs from this machine's by {skew:.0f} s"
    return Finding("clock", Health.WARNING, text, "set both by NTP")
