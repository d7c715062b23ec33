"""The pipeline: parsed by a real Groovy, steps of the listed plugins alone, commands of ours."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
from pathlib import Path

import click
import pytest

from pushtrain.ci.definitions import Training, jenkinsfile, shared
from pushtrain.ci.plugins import needed
from support.pipeline import Call, read_calls

TRAININGS = {
    "own": None,
    "plain": Training("https://git.example.org/team/digits.git"),
    "all": Training("git@example.org:it's/digits.git", "a$b", "n", "0.9", credentials="key"),
}
STEPS = {
    "sh": "workflow-durable-task-step",
    "checkout": "workflow-scm-step",
    "scmGit": "git",
    "junit": "junit",
    "archiveArtifacts": "workflow-basic-steps",
    "readFile": "workflow-basic-steps",
    "catchError": "workflow-basic-steps",
    "retry": "workflow-basic-steps",
    "publishHTML": "htmlpublisher",
    "emailext": "email-ext",
    "script": "pipeline-model-definition",
}
"""Every step that may be used, and the plugin that brings it."""
OPTIONS = {
    "quietPeriod",
    "disableConcurrentBuilds",
    "buildDiscarder",
    "logRotator",
    "timestamps",
    "timeout",
    "skipDefaultCheckout",
}
_PLAIN_GROOVY = {"trim", "=", "if"}


@pytest.fixture(scope="module", params=list(TRAININGS))
def calls(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Call]:
    return read_calls(jenkinsfile(TRAININGS[request.param]), tmp_path_factory.mktemp("groovy"))


def _steps(calls: list[Call]) -> list[Call]:
    inside = {"steps", "aborted", "notBuilt", "failure"}
    return [call for call in calls if inside & set(call.around)]


def test_a_broken_pipeline_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"expecting|unexpected"):
        read_calls("pipeline {\n  stages {\n", tmp_path)


def test_the_stages_of_a_push(calls: list[Call]) -> None:
    stages = [call.arguments[0] for call in calls if call.name == "stage"]
    work = ["Checkout", "Detect", "Image", "Train until target", "Report"]
    assert stages == ["Push", "Run", *work, "Verdict"]


def test_only_steps_of_the_listed_plugins_are_used(calls: list[Call]) -> None:
    used = {call.name for call in _steps(calls)} - _PLAIN_GROOVY
    assert used <= STEPS.keys()
    assert {STEPS[name] for name in used} <= {one.name for one in needed()}
    options = {call.name for call in calls if "options" in call.around}
    assert options <= OPTIONS


def test_each_stage_of_work_is_one_command(calls: list[Call]) -> None:
    for stage in ("Detect", "Image", "Train until target"):
        inside = [c for c in _steps(calls) if c.around[-1] in {"steps", "retry"}]
        assert [c.name for c in inside if f"stage:{stage}" in c.around and c.name != "retry"] == [
            "sh"
        ]


def test_all_steps_share_a_run_that_no_other_build_shares(calls: list[Call]) -> None:
    """Builds of a job that is made anew count from 1 again: their tags come again, too."""
    (key,) = [c.arguments for c in calls if c.around == ("pipeline", "environment")]
    assert key == ("RUN_KEY", "$env.BUILD_TAG-$currentBuild.startTimeInMillis")
    for call in calls:
        if call.name == "sh" and call.named("script").split()[1] not in {"detect", "image"}:
            assert '"$RUN_KEY"' in call.named("script")


def test_who_ends_a_build_while_it_trains_ends_its_run(calls: list[Call]) -> None:
    (train,) = [c for c in calls if c.arguments == ("Train until target",)]
    (post,) = train.blocks("post")
    first = {one.name: one.inner[0].named("script") for one in post.inner}
    assert first == {
        "aborted": 'pushtrain stop "$RUN_KEY" --wait 45',
        "notBuilt": 'pushtrain stop "$RUN_KEY" --superseded --wait 45',
    }


def test_jenkins_mails_only_what_pushtrain_cannot(calls: list[Call]) -> None:
    """A verdict is mailed by pushtrain; it is told from the build's description, which has it."""
    mails = [call for call in calls if call.name == "emailext"]
    push = ("pipeline", "stages", "stage:Push", "post")
    around = [mail.around[len(push) :] for mail in mails if mail.around[: len(push)] == push]
    assert around == [("failure",), ("aborted", "script", "if")]
    assert len(around) == len(mails)
    (asked,) = [call.arguments for call in calls if call.name == "if"]
    assert asked == ("(currentBuild.description == null)",)


@pytest.mark.parametrize("mail", ["", "o'hara@example.org"])
def test_who_is_mailed_can_be_said(mail: str, tmp_path: Path) -> None:
    training = Training("https://git.example.org/team/digits.git", mail=mail)
    calls = read_calls(jenkinsfile(training), tmp_path)
    mails = [call for call in calls if call.name == "emailext"]
    assert {call.named("to") for call in mails} == {mail or "$DEFAULT_RECIPIENTS"}


def test_what_is_said_is_read_as_it_was_written(calls: list[Call]) -> None:
    """Whatever the platform's own encoding is, on the controller and on the agent."""
    readers = [call for call in calls if call.name in {"sh", "readFile"}]
    assert {call.named("encoding") for call in readers} == {"UTF-8"}


def test_no_text_that_groovy_would_fill_in_reaches_a_shell() -> None:
    for training in TRAININGS.values():
        for line in jenkinsfile(training).splitlines():
            if re.match(r"\s*sh ", line):
                assert re.fullmatch(r"\s*sh encoding: 'UTF-8', script: '[^']*'", line), line


def _shell_lines() -> list[str]:
    lines = [
        match[1]
        for training in TRAININGS.values()
        for match in re.finditer(r"^\s*sh .*script: '([^']*)'", jenkinsfile(training), re.MULTILINE)
    ]
    monitor = next(one for one in shared() if one.name.endswith("monitor"))
    lines += re.findall(r"<command>(.*)</command>", monitor.configuration)
    return list(dict.fromkeys(lines))


STUB = """#!/bin/sh
for one; do printf '%s\\0' "$one"; done >>"$SAID"
printf '\\n' >>"$SAID"
exit "${CODE:-0}"
"""


@pytest.fixture
def agent(tmp_path: Path) -> Path:
    """A place whose `pushtrain` writes down how it was called, and exits as it is told."""
    program = tmp_path / "pushtrain"
    program.write_text(STUB)
    program.chmod(0o755)
    return tmp_path


def _run(agent: Path, line: str, **variables: str) -> tuple[int, list[list[str]]]:
    said = agent / "said"
    said.unlink(missing_ok=True)
    environment = {
        "PATH": f"{agent}:/usr/bin:/bin",
        "SAID": str(said),
        "RUN_KEY": "jenkins-pushtrain-digits-7-1795460626000",
        "JOB_NAME": "pushtrain/digits",
        **variables,
    }
    shell = ["sh", "-xe", "-c", line]
    code = subprocess.run(shell, env=environment, capture_output=True, check=False).returncode
    rows = said.read_bytes().decode().split("\n")[:-1]
    return code, [row.split("\0")[:-1] for row in rows]


WISHES = {"TARGET": "0.97", "METRIC": "accuracy", "TRIALS": "30", "TIME": "10m"}


def _unknown(arguments: list[str]) -> str:
    """What of a command line pushtrain does not know; empty if it takes it."""
    try:
        module = importlib.import_module(f"pushtrain.cli.{arguments[0]}")
        module.command.make_context(
            arguments[0], list(arguments[1:]), help_option_names=["-h", "--help"]
        )
    except (ModuleNotFoundError, click.UsageError) as error:
        return str(error)
    return ""


def test_every_shell_line_is_one_command_of_pushtrain(agent: Path) -> None:
    lines = _shell_lines()
    assert len(lines) == 9
    for line in lines:
        assert len(_run(agent, line)[1]) == 1, line


def test_parameters_reach_the_command_as_options_and_empty_ones_do_not(agent: Path) -> None:
    line = next(one for one in _shell_lines() if " run " in one)
    _, (plain,) = _run(agent, line, **dict.fromkeys(WISHES, ""))
    assert not {"--target", "--metric", "--trials", "--time"} & set(plain)
    assert plain[plain.index("--key") + 1] == "jenkins-pushtrain-digits-7-1795460626000"
    assert plain[plain.index("--lane") + 1] == "pushtrain/digits"
    _, (asked,) = _run(agent, line, **{**WISHES, "METRIC": "a b; touch x"})
    assert asked[-8:] == [
        *("--target", "0.97", "--metric", "a b; touch x", "--trials", "30", "--time", "10m")
    ]
    assert not (agent / "x").exists()


@pytest.mark.parametrize(
    ("code", "result"),
    [(0, "SUCCESS"), (3, "SUCCESS"), (1, "FAILURE"), (4, "FAILURE"), (130, "ABORTED")],
)
def test_the_exit_code_of_a_run_becomes_the_result_of_the_build(
    code: int, result: str, agent: Path
) -> None:
    """3 passes here: what makes it UNSTABLE is its failing JUnit case."""
    stopped, judged = [line for line in _shell_lines() if " show " in line]
    found = "SUCCESS"
    if _run(agent, stopped, CODE=str(code))[0]:
        found = "ABORTED"
    if _run(agent, judged, CODE=str(code))[0]:
        found = "FAILURE"
    assert found == result


@pytest.mark.parametrize("line", _shell_lines())
def test_pushtrain_takes_every_command_line(line: str, agent: Path) -> None:
    _, (arguments,) = _run(agent, line, **WISHES)
    assert _unknown(arguments) == ""


def test_the_tool_tells_the_calls(tmp_path: Path) -> None:
    (call,) = read_calls("a('b', c: 'd')", tmp_path)
    assert json.dumps([call.around, call.name, call.arguments]) == '[[], "a", ["c=d", "b"]]'
