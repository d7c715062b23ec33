"""A Jenkins in memory: items, and builds that tests put there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pushtrain.ci.server import (
    Build,
    ItemKind,
    LogPart,
    Node,
    PastBuild,
    Plugin,
    QueueItem,
    QueueState,
    Result,
    ServerFacts,
    Submission,
)
from pushtrain.errors import JenkinsDenied, JenkinsError, JenkinsNotFound

URL = "http://jenkins.example.org"
NOW = 1_800_000_000.0


def a_build(job: str = "pushtrain/digits", number: int = 1, **facts: object) -> Build:
    """A build with whatever is stated, finished well otherwise."""
    usual = Build(
        job=job,
        number=number,
        queue_id=number + 100,
        url=f"{URL}/job/{job.replace('/', '/job/')}/{number}/",
        result=Result.SUCCESS,
        started=NOW,
        seconds=60.0,
        title=f"#{number}",
        description="",
        parameters={},
    )
    return replace(usual, **facts)  # type: ignore[arg-type]


def an_item(queue_id: int, state: QueueState, **facts: object) -> QueueItem:
    """A request in the queue."""
    usual = QueueItem(
        id=queue_id,
        state=state,
        why="",
        job="pushtrain/digits",
        number=None,
        since=NOW,
        parameters={},
    )
    return replace(usual, **facts)  # type: ignore[arg-type]


@dataclass
class FakeJenkins:
    """A `JenkinsServer`.

    Attributes:
        items: configurations by name.
        calls: what was changed, as (verb, name).
        all_builds: by job, newest first.
        waiting: the queue.
        looks: what `queue_item` answers, one after the other, the last one for good; an error is
            raised.
        logs: by build number, the parts of its log.
        site: what `facts` says.
        listeners: what `notify_commit` answers.
        nodes_say: what `ask_node` answers.
        can_create: what `may_create` answers.
        linter_says: what `lint` answers.
        credentials: the ids that there are; an error is raised.
    """

    items: dict[str, str] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    all_builds: dict[str, list[Build]] = field(default_factory=dict)
    waiting: list[QueueItem] = field(default_factory=list)
    looks: list[QueueItem | Exception | None] = field(default_factory=list)
    logs: dict[int, list[LogPart]] = field(default_factory=dict)
    site: ServerFacts = field(
        default_factory=lambda: ServerFacts("2.516.2", "ann", NOW, False, (), ())
    )
    listeners: tuple[str, ...] | Exception = ()
    nodes_say: str | Exception = "0 20.10"
    can_create: bool = True
    linter_says: str | Exception = ""
    credentials: set[str] | Exception = field(default_factory=set)
    submissions: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    # --- items ---------------------------------------------------------------------------------

    def configuration(self, name: str, kind: ItemKind = ItemKind.JOB) -> str | None:
        return self.items.get(name)

    def create(self, name: str, configuration: str, kind: ItemKind = ItemKind.JOB) -> None:
        folder = name.rpartition("/")[0]
        if folder and folder not in self.items:
            raise JenkinsNotFound(f"there is no folder {folder}")
        if name in self.items:
            raise JenkinsError(f"{name} already exists", status=400)
        self.items[name] = configuration
        self.calls.append(("create", name))

    def update(self, name: str, configuration: str, kind: ItemKind = ItemKind.JOB) -> None:
        if name not in self.items:
            raise JenkinsNotFound(name)
        self.items[name] = configuration
        self.calls.append(("update", name))

    def remove(self, name: str) -> bool:
        gone = [one for one in self.items if one == name or one.startswith(f"{name}/")]
        for one in gone:
            del self.items[one]
        self.calls.append(("remove", name))
        return bool(gone)

    def jobs(self, folder: str) -> tuple[str, ...]:
        if folder not in self.items:
            raise JenkinsNotFound(folder)
        return tuple(
            name
            for name, text in self.items.items()
            if name.startswith(f"{folder}/") and "ListView" not in text
        )

    # --- builds --------------------------------------------------------------------------------

    def start(self, job: str, parameters: Mapping[str, str]) -> Submission:
        self.submissions.append((job, dict(parameters)))
        return Submission(100 + len(self.submissions), False, NOW)

    def queue_item(self, queue_id: int) -> QueueItem | None:
        look = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        if isinstance(look, Exception):
            raise look
        return look

    def queue(self) -> tuple[QueueItem, ...]:
        return tuple(self.waiting)

    def build(self, job: str, number: int) -> Build:
        for one in self.all_builds.get(job, []):
            if one.number == number:
                return one
        raise JenkinsNotFound(f"{job} {number}")

    def builds(self, job: str) -> tuple[PastBuild, ...]:
        return tuple(
            PastBuild(one.number, one.result, one.parameters)
            for one in self.all_builds.get(job, [])
        )

    def log(self, job: str, number: int, start: int = 0) -> LogPart:
        parts = self.logs[number]
        return parts.pop(0) if len(parts) > 1 else parts[0]

    def stop(self, job: str, number: int) -> None:
        self.calls.append(("stop", f"{job} {number}"))

    # --- site ----------------------------------------------------------------------------------

    def facts(self) -> ServerFacts:
        return self.site

    def may_create(self) -> bool:
        return self.can_create

    def lint(self, jenkinsfile: str) -> str:
        if isinstance(self.linter_says, Exception):
            raise self.linter_says
        return self.linter_says

    def has_credentials(self, name: str) -> bool:
        if isinstance(self.credentials, Exception):
            raise self.credentials
        return name in self.credentials

    def notify_commit(
        self, repository: str, token: str, branch: str | None = None, commit: str | None = None
    ) -> tuple[str, ...]:
        if isinstance(self.listeners, Exception):
            raise self.listeners
        return self.listeners

    def ask_node(self, node: str, script: str) -> str:
        if isinstance(self.nodes_say, Exception):
            raise self.nodes_say
        return self.nodes_say


def an_agent(**facts: object) -> Node:
    """An agent that trains."""
    usual = Node("agent", ("docker", "linux"), True, 2, 0.0)
    return replace(usual, **facts)  # type: ignore[arg-type]


def denied() -> JenkinsDenied:
    """What a server says to whom it does not let."""
    return JenkinsDenied("it does not let ann", hint="ask for the right", status=403)


def all_plugins(names: Mapping[str, str]) -> tuple[Plugin, ...]:
    """Active plugins, by name and version."""
    return tuple(Plugin(name, version, True) for name, version in names.items())
