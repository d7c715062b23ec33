"""Removing what a test session has on an engine."""

from __future__ import annotations

from pushtrain.engine.connection import Connection
from pushtrain.engine.docker_engine import DockerEngine
from pushtrain.interfaces import LABEL_RUN


def clear(connection: Connection, run_id: str) -> None:
    """Removes what a session has on an engine, and sees that its volumes went too."""
    engine = DockerEngine(connection)
    for state in engine.find({LABEL_RUN: run_id}):
        engine.remove(state.id)
    for volume in engine.volumes({LABEL_RUN: run_id}):
        engine.remove_volume(volume.name)
    with connection.calling("the volumes cannot be listed") as client:
        left = client.volumes(filters={"label": f"{LABEL_RUN}={run_id}"})["Volumes"] or []
    assert not left, f"volumes of removed containers are left: {left}"
