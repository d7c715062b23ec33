"""What Jenkins' JSON says, as records."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote

from pushtrain.ci.server import (
    Build,
    Node,
    PastBuild,
    Plugin,
    QueueItem,
    QueueState,
    Result,
)

_QUEUE_ITEM = re.compile(r"/queue/item/(\d+)/?$")
_CONSOLE_NOTE = re.compile("\x1b\\[8m.*?\x1b\\[0m", re.DOTALL)
_QUEUE_STATES = {
    "hudson.model.Queue$WaitingItem": QueueState.WAITING,
    "hudson.model.Queue$BlockedItem": QueueState.BLOCKED,
    "hudson.model.Queue$BuildableItem": QueueState.BUILDABLE,
}
_CLOCK = "hudson.node_monitors.ClockMonitor"


def queue_number(location: str) -> int | None:
    """The queue item that a Location header names; its host may be any, behind a proxy."""
    found = _QUEUE_ITEM.search(location)
    return int(found[1]) if found else None


def job_name(url: str) -> str:
    """The full name of the job that a URL shows: `.../job/a/job/b/7/` is of "a/b"."""
    return "/".join(unquote(part) for part in re.findall(r"/job/([^/]+)", url))


def queue_item(answer: Mapping[str, Any]) -> QueueItem:
    """A queue item from its JSON."""
    executable = answer.get("executable") or {}
    state = _QUEUE_STATES.get(answer["_class"])
    if state is None:  # it has left the queue
        state = QueueState.CANCELLED if answer.get("cancelled") else QueueState.STARTED
    return QueueItem(
        id=answer["id"],
        state=state,
        why=answer.get("why") or "",
        job=job_name((answer.get("task") or {}).get("url", "")),
        number=executable.get("number"),
        since=answer["inQueueSince"] / 1000,
        parameters=parameters(answer.get("actions", ())),
    )


def build(answer: Mapping[str, Any], job: str, url: str) -> Build:
    """A build from its JSON."""
    return Build(
        job=job,
        number=answer["number"],
        queue_id=answer["queueId"],
        url=url,
        result=_result(answer),
        started=answer["timestamp"] / 1000,
        seconds=answer["duration"] / 1000,
        title=answer.get("displayName") or f"#{answer['number']}",
        description=answer.get("description") or "",
        parameters=parameters(answer.get("actions", ())),
    )


def past_build(answer: Mapping[str, Any]) -> PastBuild:
    """A build from its job's list."""
    return PastBuild(answer["number"], _result(answer), parameters(answer.get("actions", ())))


def parameters(actions: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The parameters among the actions of a build or queue item."""
    return {
        one["name"]: str(one.get("value", ""))
        for action in actions
        for one in (action or {}).get("parameters") or ()
    }


def plugin(answer: Mapping[str, Any]) -> Plugin:
    """A plugin from its JSON."""
    is_active = bool(answer.get("active") and answer.get("enabled", True))
    return Plugin(answer["shortName"], answer["version"], is_active)


def node(answer: Mapping[str, Any]) -> Node:
    """A node from its JSON."""
    clock = (answer.get("monitorData") or {}).get(_CLOCK) or {}
    return Node(
        name=answer["displayName"],
        labels=tuple(label["name"] for label in answer.get("assignedLabels", ())),
        is_online=not answer["offline"],
        executors=answer["numExecutors"],
        skew=clock["diff"] / 1000 if "diff" in clock else None,
    )


def without_notes(text: str) -> str:
    """A log without the invisible notes and carriage returns that Jenkins puts into it."""
    return _CONSOLE_NOTE.sub("", text).replace("\r\n", "\n")


def _result(answer: Mapping[str, Any]) -> Result | None:
    value = answer.get("result")
    return Result(value) if value and not answer.get("building") else None
