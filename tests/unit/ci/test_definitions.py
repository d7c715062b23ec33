"""Jobs rendered from data: valid XML, whatever the URL and the branch look like."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushtrain.ci.definitions import (
    POLL,
    Training,
    groovy_string,
    jenkinsfile,
    job_name,
    pipeline,
    shared,
    view,
)
from pushtrain.errors import SettingsError

ROOT = Path(__file__).parents[3]
URL = "https://git.example.org/team/digits.git"


@pytest.mark.parametrize(
    ("repository", "branch", "name"),
    [
        (URL, "main", "digits"),
        ("git@example.org:team/wine.git", "master", "wine"),
        ("/srv/git/digits.git/", "feature/x y", "digits-feature-x-y"),
        ("file:///srv/git/a b.git", "main", "a-b"),
    ],
)
def test_a_job_is_named_after_its_repository(repository: str, branch: str, name: str) -> None:
    assert job_name(repository, branch) == name


def test_a_repository_without_a_name_is_refused() -> None:
    with pytest.raises(SettingsError, match="gives the job no name"):
        job_name("/")
    with pytest.raises(SettingsError, match="looks after all runs"):
        pipeline(Training("https://git.example.org/team/monitor.git"))


def test_the_repositorys_own_jenkinsfile_is_this_one() -> None:
    assert (ROOT / "Jenkinsfile").read_text("utf-8") == jenkinsfile()


def test_a_job_carries_our_pipeline_unless_the_repository_has_its_own() -> None:
    ours = ET.fromstring(pipeline(Training(URL)).configuration)
    assert (ours.findtext("definition/script") or "").rstrip() == jenkinsfile(
        Training(URL)
    ).rstrip()
    own = ET.fromstring(pipeline(Training(URL, has_own_jenkinsfile=True)).configuration)
    assert own.findtext("definition/scriptPath") == "Jenkinsfile"
    assert own.findtext(".//hudson.plugins.git.UserRemoteConfig/url") == URL


def test_no_quiet_period_is_lost_and_polling_is_there_before_the_first_build() -> None:
    for own in (False, True):
        job = ET.fromstring(pipeline(Training(URL, has_own_jenkinsfile=own)).configuration)
        assert job.findtext("quietPeriod") == "0"
        assert job.findtext(".//hudson.triggers.SCMTrigger/spec") == POLL
        assert job.findtext(".//abortPrevious") == "true"


def test_each_forge_is_switched_on_by_itself() -> None:
    plain = pipeline(Training(URL)).configuration
    assert "GitHub" not in plain and "gitlab" not in plain and "gwt" not in plain
    assert "GitHubPushTrigger" in pipeline(Training(URL, github=True)).configuration
    assert "GitLabPushTrigger" in pipeline(Training(URL, gitlab=True)).configuration
    hook = ET.fromstring(pipeline(Training(URL, "v1.0", webhook="hook-token")).configuration)
    trigger = hook.find(".//org.jenkinsci.plugins.gwt.GenericTrigger")
    assert trigger is not None
    assert trigger.findtext("tokenCredentialId") == "hook-token"
    assert trigger.findtext("regexpFilterExpression") == r"^refs/heads/v1\.0$"


@pytest.mark.parametrize("definition", [*shared(), view()], ids=lambda one: one.name)
def test_what_is_shared_is_xml(definition: object) -> None:
    ET.fromstring(definition.configuration)  # type: ignore[attr-defined]


_TEXT = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc"]), max_size=30)


@given(branch=_TEXT, target=_TEXT, url=_TEXT)
def test_any_text_survives_as_it_is(branch: str, target: str, url: str) -> None:
    training = Training(f"https://{url}", branch, "name", target)
    job = ET.fromstring(pipeline(training).configuration)
    assert (job.findtext(".//hudson.model.StringParameterDefinition/defaultValue") or "") == target
    assert groovy_string(f"refs/heads/{branch}") in (job.findtext("definition/script") or "")


def test_a_groovy_string_interpolates_nothing() -> None:
    assert groovy_string("a'b\\c$d\n") == "'a\\'b\\\\c$d\\u000a'"
