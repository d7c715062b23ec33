"""Builds on this machine: what a Jenkins agent does with the steps of our pipeline.

The pipeline is read from its Jenkinsfile, so nothing of it is written down here. What a step means
to Jenkins, in which environment it runs and how it is ended is as recorded of a real server.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from xml.etree import ElementTree as ET

from support.jenkins_processes import kill_all
from support.pipeline import Call

_SERVER = "http://127.0.0.1:8080/"
_MOST_SECONDS = 300.0


class Result(IntEnum):
    """Of a build, the better first: a build's result only gets worse."""

    SUCCESS = 0
    UNSTABLE = 1
    FAILURE = 2
    NOT_BUILT = 3
    ABORTED = 4


class StepFailed(Exception):
    """A step ended badly."""

    result = Result.FAILURE


class Interrupted(StepFailed):
    """Jenkins ended the step: somebody, or a newer build, stopped the build."""

    def __init__(self, result: Result) -> None:
        super().__init__(result.name)
        self.result = result


class AgentLost(StepFailed):
    """The agent was away for too long; its processes may still be there."""


@dataclass
class Agent:
    """A machine with the label docker.

    Attributes:
        root: where its workspaces are.
        environment: of its own, with its mark (HUDSON_COOKIE).
    """

    root: Path
    environment: Mapping[str, str]

    def freestyle(self, name: str, number: int, command: str) -> tuple[int, str]:
        """A build of a freestyle job with a shell step; its exit code, and what it printed."""
        marks = {"BUILD_ID": str(number), "BUILD_TAG": f"jenkins-{name}-{number}", "JOB_NAME": name}
        place = self.root / name
        place.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            ("sh", "-xe", "-c", command),
            cwd=place,
            env={**self.environment, **marks, "JENKINS_SERVER_COOKIE": "of-the-server"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        kill_all({**marks, "JENKINS_SERVER_COOKIE": "of-the-server"})
        return done.returncode, done.stdout


@dataclass
class Build:
    """A build of a Pipeline job.

    Attributes:
        pipeline: the call of `pipeline` and all in it.
        agent: where it runs.
        job: the job's full name.
        number: its own.
        repository: what `checkout scm` clones, at its branch main.
        parameters: what it was started with.
        on_retry: called before a step or an agent's stages are started again.
        result, title, description, mails, commands: what Jenkins shows; commands with exit codes.
    """

    pipeline: Call
    agent: Agent
    job: str
    number: int
    repository: Path
    parameters: Mapping[str, str] = field(default_factory=dict)
    on_retry: Callable[[], None] = lambda: None
    result: Result = Result.SUCCESS
    title: str = ""
    description: str | None = None
    mails: list[str] = field(default_factory=list)
    commands: list[tuple[str, int]] = field(default_factory=list)
    log: str = ""
    _step: subprocess.Popen[str] | None = None
    _end: StepFailed | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        flat = self.job.replace("/", "-")
        self.workspace = self.agent.root / "workspace" / flat
        self.archive = self.agent.root / "archive" / flat / str(self.number)
        digest = hashlib.md5(str(self.workspace).encode(), usedforsecurity=False).hexdigest()
        self._cookies = {
            "JENKINS_SERVER_COOKIE": f"durable-{digest}",
            "JENKINS_NODE_COOKIE": f"node-{flat}-{self.number}",
        }
        self._variables = {
            "BUILD_ID": str(self.number),
            "BUILD_NUMBER": str(self.number),
            "BUILD_TAG": f"jenkins-{flat}-{self.number}",
            "BUILD_URL": f"{_SERVER}job/{self.job.replace('/', '/job/')}/{self.number}/",
            "CI": "true",
            "JENKINS_URL": _SERVER,
            "JOB_BASE_NAME": self.job.rpartition("/")[2],
            "JOB_NAME": self.job,
            "NODE_NAME": "agent-docker",
            "WORKSPACE": str(self.workspace),
            **{
                parameter.named("name"): parameter.named("defaultValue")
                for block in self.pipeline.blocks("parameters")
                for parameter in block.inner
            },
            **self.parameters,
        }
        started = str(1_795_460_626_000 + self.number)
        for block in self.pipeline.blocks("environment"):
            for one in block.inner:
                name, text = one.arguments
                text = text.replace("$currentBuild.startTimeInMillis", started)
                text = re.sub(r"\$env\.(\w+)", lambda found: self._variables[found[1]], text)
                self._variables[name] = text

    @property
    def key(self) -> str:
        """By which its run is found."""
        return self._variables["RUN_KEY"]

    def run(self) -> Result:
        """All its stages, to its result."""
        for stages in self.pipeline.blocks("stages"):
            try:
                self._stages(stages)
            except StepFailed as error:
                self._worsen(error.result)
        return self.result

    def in_background(self) -> Future[Result]:
        """Runs it in a thread of its own."""
        pool = ThreadPoolExecutor(1)
        future = pool.submit(self.run)
        pool.shutdown(wait=False)
        return future

    @property
    def is_stepping(self) -> bool:
        """Whether a shell of its is running now."""
        return self._step is not None

    # --- from outside --------------------------------------------------------------------------

    def interrupt(self, result: Result) -> None:
        """Ends it as the button does (ABORTED), or a newer build (NOT_BUILT)."""
        with self._lock:
            self._end = Interrupted(result)
        kill_all({"JENKINS_SERVER_COOKIE": self._cookies["JENKINS_SERVER_COOKIE"]})

    def lose_agent(self) -> None:
        """The agent is gone, with whatever carries its mark, as where a command launched it."""
        with self._lock:
            self._end = AgentLost("the agent is gone")
        kill_all({"HUDSON_COOKIE": self.agent.environment["HUDSON_COOKIE"]})

    def kill_step(self) -> None:
        """Kills the shell of the step that runs, and all in its process group."""
        with self._lock:
            assert self._step is not None
            os.killpg(self._step.pid, signal.SIGKILL)

    # --- stages --------------------------------------------------------------------------------

    def _stages(self, stages: Call) -> None:
        failed: StepFailed | None = None
        for stage in stages.blocks("stage"):
            if failed is None:  # the others are skipped
                try:
                    self._stage(stage)
                except StepFailed as error:
                    failed = error
        if failed is not None:
            raise failed

    def _stage(self, stage: Call) -> None:
        agent = next(stage.blocks("agent"), None)
        if agent is None:
            self._inside(stage)
            return
        (node,) = agent.blocks("node")
        (retries,) = node.blocks("retries")
        for left in reversed(range(int(retries.arguments[0]))):
            try:
                self._inside(stage)
                return
            except AgentLost:
                if not left:
                    raise
                self.on_retry()
            finally:
                if not isinstance(self._end, AgentLost):
                    kill_all({"JENKINS_NODE_COOKIE": self._cookies["JENKINS_NODE_COOKIE"]})
                self._end = None

    def _inside(self, stage: Call) -> None:
        failed: StepFailed | None = None
        try:
            for stages in stage.blocks("stages"):
                self._stages(stages)
            for steps in stage.blocks("steps"):
                self._steps(steps)
        except StepFailed as error:
            failed = error
        if isinstance(failed, Interrupted):
            self._end = None  # steps of `post` are not interrupted
        result = max(self.result, failed.result if failed else Result.SUCCESS)
        conditions = {
            Result.FAILURE: "failure",
            Result.ABORTED: "aborted",
            Result.NOT_BUILT: "notBuilt",
        }
        for post in stage.blocks("post"):
            for condition in post.blocks(conditions.get(result, "")):
                try:
                    self._steps(condition)
                except StepFailed as error:
                    self.log += f"Error when executing {condition.name} post condition: {error}\n"
        if failed is not None:
            raise failed

    # --- steps ---------------------------------------------------------------------------------

    def _steps(self, block: Call) -> None:
        for call in block.inner:
            step = getattr(self, f"_do_{'set' if call.name == '=' else call.name}")
            step(call)

    def _do_checkout(self, call: Call) -> None:
        assert call.arguments == ("scm",)
        self.workspace.mkdir(parents=True, exist_ok=True)
        refs = "+refs/heads/*:refs/remotes/origin/*"
        for command in (
            ("init", "--quiet"),
            ("config", "remote.origin.url", str(self.repository)),
            ("fetch", "--quiet", "--force", "--", str(self.repository), refs),
            ("checkout", "--quiet", "--force", "--detach", "refs/remotes/origin/main"),
        ):
            subprocess.run(("git", *command), cwd=self.workspace, check=True, env=self._environment)

    @property
    def _environment(self) -> dict[str, str]:
        return {**self.agent.environment, **self._variables, **self._cookies}

    def _do_sh(self, call: Call) -> None:
        command = call.named("script")
        with self._lock:
            if self._end is not None:
                raise self._end
            self._step = subprocess.Popen(
                ("sh", "-xe", "-c", command),
                cwd=self.workspace,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=(self.agent.root / "log").open("a"),
                stderr=subprocess.STDOUT,
                start_new_session=True,
                text=True,
            )
        code = self._waited(self._step)
        self.commands.append((command, code))
        with self._lock:
            self._step = None
            if self._end is not None:
                raise self._end
        if code:
            raise StepFailed(f"script returned exit code {code}: {command}")

    def _waited(self, step: subprocess.Popen[str]) -> int:
        deadline = time.monotonic() + _MOST_SECONDS
        while not isinstance(self._end, AgentLost):
            assert time.monotonic() < deadline, "a step does not end"
            try:
                return step.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
        return -1

    def _do_retry(self, call: Call) -> None:
        for left in reversed(range(int(call.arguments[0]))):
            try:
                self._steps(call)
                return
            except (Interrupted, AgentLost):
                raise
            except StepFailed:
                if not left:
                    raise
                self.on_retry()

    def _do_catchError(self, call: Call) -> None:
        try:
            self._steps(call)
        except StepFailed:
            self._worsen(Result[call.named("buildResult")])

    def _do_junit(self, call: Call) -> None:
        root = ET.parse(self.workspace / call.named("testResults")).getroot()
        if root.findall(".//failure") or root.findall(".//error"):
            self._worsen(Result.UNSTABLE)

    def _do_archiveArtifacts(self, call: Call) -> None:
        folder, _, all_of_it = call.named("artifacts").partition("/")
        assert all_of_it == "**"
        shutil.copytree(self.workspace / folder, self.archive / folder, dirs_exist_ok=True)

    def _do_publishHTML(self, call: Call) -> None:
        facts = dict(one.split(":", 1) for one in call.named("target").strip("[]").split(", "))
        assert (self.workspace / facts["reportDir"] / facts["reportFiles"]).is_file()

    def _do_script(self, call: Call) -> None:
        self._steps(call)

    def _do_set(self, call: Call) -> None:
        (trimmed,) = call.inner
        (read,) = trimmed.inner
        assert (trimmed.name, read.name) == ("trim", "readFile")
        file = self.workspace / read.named("file")
        text = file.read_text(read.named("encoding")).strip()
        field_ = {"currentBuild.displayName": "title", "currentBuild.description": "description"}
        setattr(self, field_[call.arguments[0]], text)

    def _do_if(self, call: Call) -> None:
        assert call.arguments == ("(currentBuild.description == null)",)
        if self.description is None:
            self._steps(call)

    def _do_emailext(self, call: Call) -> None:
        self.mails.append(call.named("subject"))

    def _worsen(self, result: Result) -> None:
        self.result = max(self.result, result)
