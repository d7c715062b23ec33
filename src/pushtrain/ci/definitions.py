"""What pushtrain wants on a Jenkins server, as data; the templates lie in jenkins/jobs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pushtrain.ci.configuration import fingerprint, signed
from pushtrain.ci.server import ItemKind
from pushtrain.errors import SettingsError

FOLDER = "pushtrain"
MONITOR = f"{FOLDER}/monitor"
VIEW = f"{FOLDER}/Training"
POLL = "H H/6 * * *"
"""The safety net: Jenkins looks for itself whether a trigger was lost.

Rarely, since a build that waits for an agent has not checked out yet: Jenkins takes its commit for
one that nobody builds, and another build supersedes it."""

_PLACES = (
    Path(__file__).parents[1] / "_jenkins" / "jobs",  # in an installed package
    Path(__file__).parents[3] / "jenkins" / "jobs",  # in a checkout
)
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Definition:
    """One thing that is to be on the server.

    Attributes:
        name: full name ("pushtrain/digits").
        kind: job or view.
        configuration: its XML, signed with its own fingerprint.
    """

    name: str
    kind: ItemKind
    configuration: str


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the pipeline: name, default, and what the form says of it."""

    name: str
    value: str
    description: str


@dataclass(frozen=True, slots=True)
class Training:
    """A repository that Jenkins is to train.

    Attributes:
        repository: its URL, spelled as the triggers spell it.
        branch: the watched branch.
        name: the job's name in the folder; from repository and branch where empty.
        target, metric, trials, time: defaults of the job's parameters; empty for what
            pushtrain.toml says.
        credentials: id of the Jenkins credentials that may read the repository.
        has_own_jenkinsfile: whether the repository's Jenkinsfile is used instead of ours.
        github, gitlab: whether pushes are told by the plugin of that forge.
        webhook: id of the Jenkins credentials (secret text) that hold the token of generic
            webhooks; empty for none.
        mail: who is mailed when a build ends before its verdict; empty for the default recipients
            of Jenkins' Extended E-mail.
    """

    repository: str
    branch: str = "main"
    name: str = ""
    target: str = ""
    metric: str = ""
    trials: str = ""
    time: str = ""
    credentials: str = ""
    has_own_jenkinsfile: bool = False
    github: bool = False
    gitlab: bool = False
    webhook: str = ""
    mail: str = ""

    @property
    def job(self) -> str:
        """The job's full name; raises SettingsError."""
        full = f"{FOLDER}/{self.name or job_name(self.repository, self.branch)}"
        if full == MONITOR:
            raise SettingsError(
                f"{MONITOR} is the job that looks after all runs", hint="give another --name"
            )
        return full

    @property
    def subject(self) -> str:
        """How the job's description begins: it tells whose job it is."""
        return f"Trains {self.repository} ({self.branch})"

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """What a build can be asked for."""
        default = "as pushtrain.toml says where empty"
        return (
            Parameter("TARGET", self.target, f"The value to reach; {default}."),
            Parameter("METRIC", self.metric, f"What the target is stated in; {default}."),
            Parameter("TRIALS", self.trials, f"Most trials; {default}."),
            Parameter("TIME", self.time, f"Most training time, as 90s, 10m or 2h; {default}."),
            Parameter("COMMIT", "", "The push that started the build; triggers fill it in."),
        )


def job_name(repository: str, branch: str = "main") -> str:
    """A name for the job of a repository: digits, or digits-dev for a branch that is not main.

    Raises:
        SettingsError: nothing of the URL can be a name.
    """
    base = re.split(r"[/:\\]", repository.rstrip("/"))[-1].removesuffix(".git")
    parts = [base] if branch in {"main", "master"} else [base, branch]
    name = "-".join(_UNSAFE.sub("-", part).strip("-.") for part in parts)
    if not base or name.startswith("-") or not name:
        raise SettingsError(f"{repository!r} gives the job no name", hint="give one with --name")
    return name


def shared() -> tuple[Definition, ...]:
    """What all repositories share: the folder, and the monitor job."""
    return (
        _definition(
            FOLDER,
            "folder.xml.j2",
            "Training jobs of pushtrain, one per repository, and the monitor of all.",
        ),
        _definition(
            MONITOR,
            "monitor.xml.j2",
            "Looks every minute after all runs: what nobody drives any more is driven on.",
        ),
    )


def view() -> Definition:
    """The dashboard of the folder; it is made when the folder is there."""
    text = "All repositories in training, with the trend of their builds."
    return _definition(VIEW, "view.xml.j2", text, kind=ItemKind.VIEW, name="Training")


def pipeline(training: Training) -> Definition:
    """The job of a repository."""
    return _definition(
        training.job,
        "pipeline.xml.j2",
        f"{training.subject} until its target is met.",
        script=jenkinsfile(training),
        **_facts(training),
    )


def jenkinsfile(training: Training | None = None) -> str:
    """The pipeline as Jenkins runs it: the one in a job, or the one for a repository of its own.

    Args:
        training: the job's repository; None for a Jenkinsfile that a repository carries itself.
    """
    facts = _facts(training or Training("", name="own", has_own_jenkinsfile=True))
    return _environment(is_xml=False).get_template("Jenkinsfile.j2").render(facts)


def _facts(training: Training) -> dict[str, Any]:
    return {
        "repository": training.repository,
        "branch": training.branch,
        "credentials": training.credentials,
        "own": training.has_own_jenkinsfile,
        "github": training.github,
        "gitlab": training.gitlab,
        "webhook": training.webhook,
        "recipients": training.mail or "$DEFAULT_RECIPIENTS",
        "parameters": training.parameters,
        "poll": POLL,
    }


def _definition(
    full_name: str,
    template: str,
    description: str,
    *,
    kind: ItemKind = ItemKind.JOB,
    **facts: object,
) -> Definition:
    made = _environment(is_xml=True).get_template(template)
    plain = made.render(description=description, **facts)
    text = signed(description, fingerprint(plain))
    return Definition(full_name, kind, made.render(description=text, **facts))


def _environment(*, is_xml: bool) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_PLACES),
        autoescape=is_xml,  # noqa: S701  (a Jenkinsfile is no XML)
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["groovy"] = groovy_string
    environment.filters["regex"] = _java_pattern
    return environment


def groovy_string(text: str) -> str:
    """A text as a Groovy string that interpolates nothing."""
    return "'" + "".join(_groovy_characters(text)) + "'"


def _groovy_characters(text: str) -> Iterable[str]:
    for character in text:
        if character in "\\'":
            yield f"\\{character}"
        elif character.isprintable():
            yield character
        else:
            yield f"\\u{ord(character):04x}"


def _java_pattern(text: str) -> str:
    """A text as a Java regular expression that matches it and nothing else."""
    return re.sub(r"([\\.^$|?*+()\[\]{}])", r"\\\1", text)
