"""A Jenkins server as pushtrain sees it: records, and the seam to the real one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class ItemKind(StrEnum):
    """What has a configuration."""

    JOB = "job"
    """A job, or a folder."""
    VIEW = "view"
    """A view; its full name is that of its folder and its own."""


class QueueState(StrEnum):
    """Where a request for a build stands."""

    WAITING = "waiting"
    """In its quiet period."""
    BLOCKED = "blocked"
    """Behind another build, or the server is shutting down."""
    BUILDABLE = "buildable"
    """It could start, and no executor takes it."""
    STARTED = "started"
    """It has become a build."""
    CANCELLED = "cancelled"
    """Somebody took it out of the queue."""

    @property
    def is_finished(self) -> bool:
        """Whether it has left the queue."""
        return self in {QueueState.STARTED, QueueState.CANCELLED}


class Result(StrEnum):
    """What Jenkins says of a finished build."""

    SUCCESS = "SUCCESS"
    UNSTABLE = "UNSTABLE"
    """Tests failed: the target was not met within the budget."""
    FAILURE = "FAILURE"
    NOT_BUILT = "NOT_BUILT"
    """Superseded by a newer build of the job."""
    ABORTED = "ABORTED"


@dataclass(frozen=True, slots=True)
class Plugin:
    """An installed plugin."""

    name: str
    version: str
    is_active: bool


@dataclass(frozen=True, slots=True)
class Node:
    """A machine that builds.

    Attributes:
        name: as Jenkins shows it ("Built-In Node" for the controller).
        labels: its labels.
        is_online: whether it takes builds now.
        executors: how many builds it takes at once.
        skew: seconds that its clock is ahead of the controller's; None where not known.
    """

    name: str
    labels: tuple[str, ...]
    is_online: bool
    executors: int
    skew: float | None = None


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a server tells of itself.

    Attributes:
        version: of Jenkins ("2.516.2").
        user: who we are to it; "anonymous" without a login.
        time: its clock, as a Unix time in whole seconds.
        is_quieting_down: whether it prepares to shut down, and starts no build.
        plugins: what is installed; None where we may not know.
        nodes: its machines.
    """

    version: str
    user: str
    time: float
    is_quieting_down: bool
    plugins: tuple[Plugin, ...] | None
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Submission:
    """A request for a build that Jenkins took.

    Attributes:
        queue_id: the queue item's number; not the build's.
        is_merged: whether it became one with an equal request that was waiting already, as far
            as the answer tells; `QueueItem.since` tells the rest.
        time: the server's clock when it answered, in whole seconds.
    """

    queue_id: int
    is_merged: bool
    time: float


@dataclass(frozen=True, slots=True)
class QueueItem:
    """A request for a build, as long as Jenkins remembers it (five minutes after it left).

    Attributes:
        id: its number.
        state: where it stands.
        why: what it waits for, in Jenkins' words; empty when it does not wait.
        job: full name of the job, as far as its URL tells.
        number: the build's number once it has started.
        since: when it came, by the server's clock.
        parameters: what was asked for.
    """

    id: int
    state: QueueState
    why: str
    job: str
    number: int | None
    since: float
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Build:
    """One build of a job.

    Attributes:
        job: full name of the job ("pushtrain/digits").
        number: counted from 1.
        queue_id: the request that it came from.
        url: its page, below the address that we use (a proxy's, perhaps).
        result: None while it runs.
        started: Unix time.
        seconds: how long it took; 0 while it runs.
        title: its display name ("#3" unless set).
        description: what the pipeline wrote about it.
        parameters: what it was started with.
    """

    job: str
    number: int
    queue_id: int
    url: str
    result: Result | None
    started: float
    seconds: float
    title: str
    description: str
    parameters: Mapping[str, str]

    @property
    def is_finished(self) -> bool:
        """Whether it has a result."""
        return self.result is not None


@dataclass(frozen=True, slots=True)
class PastBuild:
    """A build as its job lists it: number, result (None while it runs), and parameters."""

    number: int
    result: Result | None
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class LogPart:
    """A piece of a build's log.

    Attributes:
        text: without Jenkins' invisible console notes.
        end: where to read on.
        has_more: whether the build still writes.
    """

    text: str
    end: int
    has_more: bool


class JenkinsItems(Protocol):
    """Jobs, folders and views as configurations. Names are full names ("pushtrain/digits").

    All methods of the three seams raise JenkinsUnreachable (JenkinsSilent where the request may
    have been carried out), JenkinsDenied, and JenkinsError; none is safe for several threads.
    """

    def configuration(self, name: str, kind: ItemKind = ItemKind.JOB) -> str | None:
        """The configuration (XML); None if there is none of that name."""

    def create(self, name: str, configuration: str, kind: ItemKind = ItemKind.JOB) -> None:
        """Makes it; JenkinsError if the name is taken or the XML not understood."""

    def update(self, name: str, configuration: str, kind: ItemKind = ItemKind.JOB) -> None:
        """Replaces a configuration; raises JenkinsNotFound."""

    def remove(self, name: str) -> bool:
        """Removes a job or folder with all builds; False if there was none."""

    def jobs(self, folder: str) -> tuple[str, ...]:
        """Full names of what is in a folder; raises JenkinsNotFound."""


class JenkinsBuilds(Protocol):
    """Builds, from the request to the log."""

    def start(self, job: str, parameters: Mapping[str, str]) -> Submission:
        """Asks for a build; JenkinsNotFound, JenkinsError (disabled, illegal parameter)."""

    def queue_item(self, queue_id: int) -> QueueItem | None:
        """A request as it stands; None if Jenkins does not know it (any more)."""

    def queue(self) -> tuple[QueueItem, ...]:
        """All requests that wait."""

    def build(self, job: str, number: int) -> Build:
        """A build; raises JenkinsNotFound."""

    def builds(self, job: str) -> tuple[PastBuild, ...]:
        """The newest builds (100 at most), newest first; raises JenkinsNotFound."""

    def log(self, job: str, number: int, start: int = 0) -> LogPart:
        """What a build has written from `start` on; raises JenkinsNotFound."""

    def stop(self, job: str, number: int) -> None:
        """Asks a build to stop; nothing happens to a finished one. Raises JenkinsNotFound."""


class JenkinsSite(Protocol):
    """The server as a whole."""

    def facts(self) -> ServerFacts:
        """What it tells of itself."""

    def may_create(self) -> bool:
        """Whether we may make jobs at the top; changes nothing."""

    def lint(self, jenkinsfile: str) -> str:
        """What is wrong with a declarative pipeline, in Jenkins' words; empty if nothing is."""

    def has_credentials(self, name: str) -> bool:
        """Whether there are credentials of this id for all jobs; JenkinsDenied if we may not know.

        Those of a folder, or of another domain, are not looked at.
        """

    def notify_commit(
        self, repository: str, token: str, branch: str | None = None, commit: str | None = None
    ) -> tuple[str, ...]:
        """Tells of a commit (git plugin); the URLs of the jobs that listened.

        An empty answer means that nobody did: the commit is not delivered.
        """

    def ask_node(self, node: str, script: str) -> str:
        """Runs a Groovy script on a node and gives what it prints; for administrators."""


class JenkinsServer(JenkinsItems, JenkinsBuilds, JenkinsSite, Protocol):
    """The three seams of one server."""
