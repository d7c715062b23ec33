"""What an engine says of a container, as records."""

from __future__ import annotations

from typing import Any

from pushtrain.engine.connection import Connection
from pushtrain.errors import SandboxError
from pushtrain.interfaces import SandboxState


def inspect(connection: Connection, container: str) -> dict[str, Any] | None:
    """The engine's own record of a container, or None where it does not exist.

    Raises:
        EngineUnreachable, SandboxError: as for every call.
    """
    try:
        with connection.calling(f"container {container[:12]} cannot be inspected") as client:
            found: dict[str, Any] = client.inspect_container(container)
            return found
    except SandboxError as error:
        if error.facts.get("status") == 404:
            return None
        raise


def has_ended(inspected: dict[str, Any]) -> bool:
    """Whether a container runs no longer, or could not be started."""
    state = inspected["State"]
    is_waiting = state["Status"] == "created" and not state["Error"]
    return not state["Running"] and not is_waiting


def state_of(inspected: dict[str, Any]) -> SandboxState:
    """The record of a container's state."""
    state = inspected["State"]
    return SandboxState(
        id=inspected["Id"],
        name=inspected["Name"].removeprefix("/"),
        labels=dict(inspected["Config"]["Labels"] or {}),
        is_running=bool(state["Running"]),
        exit_code=int(state["ExitCode"]) if has_ended(inspected) else None,
        oom_killed=bool(state["OOMKilled"]),
        error=str(state["Error"]),
    )
