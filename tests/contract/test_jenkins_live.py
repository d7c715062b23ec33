"""Our own jobs on a real server: it understands them, and writes them back as we wrote them.

Runs where JENKINS_URL, JENKINS_USER_ID and JENKINS_API_TOKEN are set (`pytest -m jenkins`), and
wants a server without a folder `pushtrain`; what is made there is removed.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from pushtrain.ci.access import find_access
from pushtrain.ci.apply import carry_out, look, wanted
from pushtrain.ci.checkup import findings
from pushtrain.ci.definitions import FOLDER, Training, jenkinsfile
from pushtrain.ci.following import Follower
from pushtrain.ci.overview import overview
from pushtrain.ci.plan import Action, Cause
from pushtrain.ci.real_jenkins import RealJenkins
from pushtrain.ci.removal import Removal
from pushtrain.ci.server import ItemKind, Submission
from pushtrain.findings import Health
from pushtrain.settings import home

_VARIABLES = ("JENKINS_URL", "JENKINS_USER_ID", "JENKINS_API_TOKEN")

pytestmark = [
    pytest.mark.jenkins,
    pytest.mark.skipif(
        not os.environ.keys() >= set(_VARIABLES), reason=f"{', '.join(_VARIABLES)} are not set"
    ),
]

DIGITS = Training("file:///srv/git/digits.git", target="0.97", github=True, gitlab=True)
HOOK = "pushtrain-test-hook"
HOOKED = Training("file:///srv/git/wine.git", "dev", webhook=HOOK, trials="9")
OWN = Training("file:///srv/git/own.git", has_own_jenkinsfile=True)


@pytest.fixture
def jenkins() -> Iterator[RealJenkins]:
    server = RealJenkins(find_access(os.environ, home()))
    if server.configuration(FOLDER) is not None:
        pytest.fail(f"this server has a folder {FOLDER}, which the test would change")
    yield server
    Removal(server, print).remove_all()


def _apply(server: RealJenkins, training: Training, keep: Path) -> None:
    carry_out(server, look(server, wanted(training)), keep)


@pytest.mark.parametrize("training", [DIGITS, HOOKED, OWN], ids=lambda one: one.job)
def test_what_was_applied_is_as_it_should_be(
    training: Training, jenkins: RealJenkins, tmp_path: Path
) -> None:
    _apply(jenkins, training, tmp_path)
    again = look(jenkins, wanted(training))
    assert [(c.definition.name, c.difference) for c in again if c.action is not Action.KEEP] == []


def test_what_jenkins_saved_itself_is_as_it_should_be(jenkins: RealJenkins, tmp_path: Path) -> None:
    """Jenkins writes a job anew, with all its fields, when somebody saves its page."""
    _apply(jenkins, DIGITS, tmp_path)
    jenkins.ask_node(
        "",
        f"jenkins.model.Jenkins.get().getItemByFullName('{FOLDER}').allItems*.save()",
    )
    again = look(jenkins, wanted(DIGITS))
    assert [(c.definition.name, c.difference) for c in again if c.action is not Action.KEEP] == []


def test_a_change_by_hand_is_seen(jenkins: RealJenkins, tmp_path: Path) -> None:
    _apply(jenkins, DIGITS, tmp_path)
    there = jenkins.configuration(DIGITS.job) or ""
    assert "<disabled>false</disabled>" in there
    jenkins.update(DIGITS.job, there.replace("<disabled>false<", "<disabled>true<"))
    changed = [c for c in look(jenkins, wanted(DIGITS)) if c.action is not Action.KEEP]
    assert [(c.definition.name, c.cause) for c in changed] == [(DIGITS.job, Cause.BY_HAND)]
    _apply(jenkins, DIGITS, tmp_path)
    assert "<disabled>false</disabled>" in (jenkins.configuration(DIGITS.job) or "")


def test_the_view_and_the_table_show_the_jobs(jenkins: RealJenkins, tmp_path: Path) -> None:
    _apply(jenkins, DIGITS, tmp_path)
    assert jenkins.configuration(f"{FOLDER}/Training", ItemKind.VIEW)
    assert [one.job for one in overview(jenkins)] == [DIGITS.job, f"{FOLDER}/monitor"]


def test_a_build_is_triggered_by_its_number(jenkins: RealJenkins, tmp_path: Path) -> None:
    """There is no such repository: the build fails at its checkout, and is known by its commit."""
    _apply(jenkins, DIGITS, tmp_path)
    follower = Follower(jenkins, print)
    asked = jenkins.start(DIGITS.job, {"COMMIT": "0123456789abcdef"})
    build = follower.to_end(follower.to_build(DIGITS.job, asked).build, print)
    assert build.number == 1 and build.is_finished
    assert build.parameters["COMMIT"] == "0123456789abcdef"
    assert jenkins.builds(DIGITS.job)[0].parameters["COMMIT"] == "0123456789abcdef"
    changed = [c for c in look(jenkins, wanted(DIGITS)) if c.action is not Action.KEEP]
    assert [(c.definition.name, c.difference) for c in changed] == []


@pytest.mark.parametrize("training", [None, DIGITS, HOOKED], ids=["own", "plain", "hooked"])
def test_the_linter_takes_the_pipeline(training: Training | None, jenkins: RealJenkins) -> None:
    assert jenkins.lint(jenkinsfile(training)) == ""


@pytest.fixture
def secret() -> Iterator[str]:
    """The value of a secret text in Jenkins' credentials."""
    access, value = find_access(os.environ, home()), secrets.token_hex()
    store = f"{access.url}/credentials/store/system/domain/_"
    kind = "org.jenkinsci.plugins.plaincredentials.impl.StringCredentialsImpl"
    xml = f"<{kind}><scope>GLOBAL</scope><id>{HOOK}</id><secret>{value}</secret></{kind}>"
    with requests.Session() as session:
        session.auth = (access.user or "", access.token or "")
        session.verify = access.ca_file or True
        remove = f"{store}/credential/{HOOK}/doDelete"
        session.post(remove, timeout=30)  # of a test that was killed
        headers = {"Content-Type": "application/xml"}
        made = session.post(f"{store}/createCredentials", xml, headers=headers, timeout=30)
        made.raise_for_status()
        yield value
        session.post(remove, timeout=30)


def test_a_webhook_starts_the_job_of_its_branch(
    secret: str, jenkins: RealJenkins, tmp_path: Path
) -> None:
    """By the token that the credentials hold; the push's commit becomes the build's."""
    assert jenkins.has_credentials(HOOK)
    _apply(jenkins, HOOKED, tmp_path)
    access = find_access(os.environ, home())

    def push(branch: str, token: str) -> requests.Response:
        return requests.post(
            f"{access.url}/generic-webhook-trigger/invoke",
            json={"ref": f"refs/heads/{branch}", "after": "0123456789abcdef"},
            headers={"Authorization": f"Bearer {token}"},
            verify=access.ca_file or True,
            timeout=30,
        )

    assert push("dev", "wrong").status_code == 404
    assert not push("main", secret).json()["jobs"][HOOKED.job]["triggered"]
    taken = push("dev", secret).json()["jobs"][HOOKED.job]
    assert taken["triggered"]
    follower = Follower(jenkins, print)
    started = follower.to_build(HOOKED.job, Submission(taken["id"], False, time.time()))
    build = follower.to_end(started.build, print)
    assert build.parameters["COMMIT"] == "0123456789abcdef"


def test_the_server_can_train(jenkins: RealJenkins) -> None:
    found = list(findings(jenkins, None))
    assert next(one for one in found if one.subject == "rights").health is Health.OK
    assert not [one for one in found if one.subject == "agents"]
