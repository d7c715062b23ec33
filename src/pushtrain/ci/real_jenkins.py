"""A real Jenkins server behind the seam of `server`."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from urllib.parse import quote

import requests

from pushtrain.ci import answers
from pushtrain.ci.access import Access
from pushtrain.ci.connection import Connection
from pushtrain.ci.server import (
    Build,
    ItemKind,
    LogPart,
    PastBuild,
    Plugin,
    QueueItem,
    ServerFacts,
    Submission,
)
from pushtrain.errors import JenkinsDenied, JenkinsError, JenkinsNotFound, JenkinsSilent

_PLUGINS = "pluginManager/api/json?depth=1&tree=plugins[shortName,version,active,enabled]"
_BUILDS = "api/json?tree=builds[number,result,actions[parameters[name,value]]]"
_CREDENTIALS = "credentials/store/system/domain/_/credential/"
_VALID = "Jenkinsfile successfully validated."
_NODES = {"Built-In Node": "(built-in)"}
"""The one node whose address is not its name."""
_BAD_REQUEST, _CONFLICT, _SEE_OTHER = 400, 409, 303


class RealJenkins:
    """A Jenkins server at an address (a `server.JenkinsServer`).

    Args:
        access: the way there.
    """

    def __init__(self, access: Access) -> None:
        self._url = access.url
        self._connection = Connection(access)
        self._seen: set[int] = set()

    # --- items ---------------------------------------------------------------------------------

    def configuration(self, name: str, kind: ItemKind = ItemKind.JOB) -> str | None:
        """See `JenkinsItems`."""
        try:
            path = f"{_item_path(name, kind)}config.xml"
            return str(self._connection.get(path, f"{kind} {name}").text)
        except JenkinsNotFound:
            return None

    def create(self, name: str, configuration: str, kind: ItemKind = ItemKind.JOB) -> None:
        """See `JenkinsItems`."""
        folder, _, short = name.rpartition("/")
        verb = "createView" if kind is ItemKind.VIEW else "createItem"
        path = f"{_path(folder)}{verb}?name={quote(short, safe='')}"
        self._connection.post(path, f"{kind} {name}", configuration)

    def update(self, name: str, configuration: str, kind: ItemKind = ItemKind.JOB) -> None:
        """See `JenkinsItems`."""
        path = f"{_item_path(name, kind)}config.xml"
        self._connection.post(path, f"{kind} {name}", configuration)

    def remove(self, name: str) -> bool:
        """See `JenkinsItems`."""
        try:
            self._connection.post(f"{_path(name)}doDelete", f"job {name}")
        except JenkinsNotFound:
            return False
        return True

    def jobs(self, folder: str) -> tuple[str, ...]:
        """See `JenkinsItems`."""
        found = self._connection.json(f"{_path(folder)}api/json", f"folder {folder}")
        return tuple(f"{folder}/{job['name']}" for job in found.get("jobs", ()))

    # --- builds --------------------------------------------------------------------------------

    def start(self, job: str, parameters: Mapping[str, str]) -> Submission:
        """See `JenkinsBuilds`."""
        try:
            response = self._submit(
                job, "buildWithParameters" if parameters else "build", parameters
            )
        except JenkinsError as error:
            if parameters or error.facts.get("status") != _BAD_REQUEST:
                raise
            # A job with parameters does not take a plain request: ask for its defaults.
            response = self._submit(job, "buildWithParameters", {})
        number = answers.queue_number(response.headers.get("Location", ""))
        if number is None:
            raise JenkinsSilent(
                f"{self._url} took the request for {job} and names no queue item",
                hint="`pushtrain jenkins status` shows whether it builds",
                job=job,
            )
        is_merged = response.status_code == _SEE_OTHER or number in self._seen
        self._seen.add(number)
        return Submission(number, is_merged, _time(response))

    def _submit(self, job: str, kind: str, parameters: Mapping[str, str]) -> requests.Response:
        try:
            return self._connection.post(f"{_path(job)}{kind}", f"job {job}", dict(parameters))
        except JenkinsError as error:
            if error.facts.get("status") != _CONFLICT:
                raise
            raise JenkinsError(
                f"job {job} is disabled at {self._url}",
                hint="enable it on its page, or `pushtrain jenkins apply` it again",
                job=job,
            ) from None

    def queue_item(self, queue_id: int) -> QueueItem | None:
        """See `JenkinsBuilds`."""
        path = f"queue/item/{queue_id}/api/json?depth=0"
        try:
            return answers.queue_item(self._connection.json(path, f"queue item {queue_id}"))
        except JenkinsNotFound:
            return None

    def queue(self) -> tuple[QueueItem, ...]:
        """See `JenkinsBuilds`."""
        found = self._connection.json("queue/api/json?depth=0", "the queue")
        return tuple(answers.queue_item(item) for item in found["items"])

    def build(self, job: str, number: int) -> Build:
        """See `JenkinsBuilds`."""
        path = f"{_path(job)}{number}/"
        found = self._connection.json(f"{path}api/json?depth=0", f"build {number} of {job}")
        return answers.build(found, job, f"{self._url}/{path}")

    def builds(self, job: str) -> tuple[PastBuild, ...]:
        """See `JenkinsBuilds`."""
        found = self._connection.json(f"{_path(job)}{_BUILDS}", f"job {job}")
        return tuple(answers.past_build(one) for one in found.get("builds", ()))

    def log(self, job: str, number: int, start: int = 0) -> LogPart:
        """See `JenkinsBuilds`."""
        path = f"{_path(job)}{number}/logText/progressiveText?start={start}"
        response = self._connection.get(path, f"build {number} of {job}")
        end = int(response.headers.get("X-Text-Size", start))
        # Jenkins answers with the whole log when asked for what is beyond its end.
        text = answers.without_notes(response.text) if end >= start else ""
        return LogPart(text, end, response.headers.get("X-More-Data") == "true")

    def stop(self, job: str, number: int) -> None:
        """See `JenkinsBuilds`."""
        self._connection.post(f"{_path(job)}{number}/stop", f"build {number} of {job}")

    # --- site ----------------------------------------------------------------------------------

    def facts(self) -> ServerFacts:
        """See `JenkinsSite`."""
        response = self._connection.get("api/json", "its state")
        version = response.headers.get("X-Jenkins")
        state = self._connection.parsed(response)
        if version is None:
            raise self._connection.no_jenkins()
        who = self._connection.json("whoAmI/api/json", "who we are")
        nodes = self._connection.json("computer/api/json?depth=0", "its nodes")
        return ServerFacts(
            version=version,
            user=who["name"],
            time=_time(response),
            is_quieting_down=state["quietingDown"],
            plugins=self._plugins(),
            nodes=tuple(answers.node(one) for one in nodes["computer"]),
        )

    def may_create(self) -> bool:
        """See `JenkinsSite`: a job without a name is refused as such only to who may make one."""
        try:
            self._connection.post("createItem?name=", "a job without a name", "<project/>")
        except JenkinsDenied:
            return False
        except JenkinsError as error:
            return bool(error.facts.get("status") == _BAD_REQUEST)
        return True

    def lint(self, jenkinsfile: str) -> str:
        """See `JenkinsSite`."""
        form = {"jenkinsfile": jenkinsfile}
        answer = self._connection.post("pipeline-model-converter/validate", "its linter", form)
        said = answer.text.strip()
        return "" if said == _VALID else said  # the status is 200 either way

    def has_credentials(self, name: str) -> bool:
        """See `JenkinsSite`."""
        try:
            self._connection.get(f"{_CREDENTIALS}{quote(name, safe='')}/config.xml", "credentials")
        except JenkinsNotFound:
            return False
        return True

    def notify_commit(
        self, repository: str, token: str, branch: str | None = None, commit: str | None = None
    ) -> tuple[str, ...]:
        """See `JenkinsSite`."""
        query = f"url={quote(repository, safe=':/@')}"
        if branch:
            query += f"&branches={quote(branch, safe='/')}"
        if commit:
            query += f"&sha1={commit}"
        path = f"git/notifyCommit?{query}&token={quote(token, safe='{}')}"
        try:
            response = self._connection.get(
                path, f"notifyCommit of {repository}", is_anonymous=True
            )
        except JenkinsDenied as error:
            raise JenkinsDenied(
                f"notifyCommit at {self._url} refuses our token ({error.facts['status']})",
                hint="make one under Manage Jenkins, Security, Git plugin notifyCommit access "
                "tokens, and set JENKINS_NOTIFY_TOKEN",
            ) from None
        triggered = response.raw.headers.getlist("Triggered")
        return tuple(url for url in triggered if url)

    def ask_node(self, node: str, script: str) -> str:
        """See `JenkinsSite`."""
        path = f"computer/{quote(_NODES.get(node, node))}/scriptText" if node else "scriptText"
        return str(self._connection.post(path, f"a script on node {node}", {"script": script}).text)

    def _plugins(self) -> tuple[Plugin, ...] | None:
        try:
            found = self._connection.json(_PLUGINS, "its plugins")
        except JenkinsDenied:
            return None
        return tuple(answers.plugin(one) for one in found["plugins"])


def _time(response: requests.Response) -> float:
    """The server's clock when it answered, in whole seconds."""
    return parsedate_to_datetime(response.headers["Date"]).timestamp()


def _path(name: str) -> str:
    """The path of a job or folder: "a/b" is at `job/a/job/b/`."""
    return "".join(f"job/{quote(part, safe='')}/" for part in name.split("/") if part)


def _item_path(name: str, kind: ItemKind) -> str:
    """The path of a job, or of a view: "a/b" is at `job/a/view/b/`."""
    if kind is ItemKind.JOB:
        return _path(name)
    folder, _, short = name.rpartition("/")
    return f"{_path(folder)}view/{quote(short, safe='')}/"
