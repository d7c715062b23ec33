"""Removing what a test session has on an engine."""

from __future__ import annotations

from collections.abc import Mapping

from pushtrain.engine.connection import Connection
from pushtrain.engine.docker_engine import DockerEngine
from pushtrain.interfaces import LABEL_RUN


def clear(connection: Connection, run_id: str) -> None:
    """Removes what a session has on an engine, under its own name or one that begins with it
    (`<run_id>-data`), and sees that its volumes went too."""
    engine = DockerEngine(connection)
    for state in engine.find({LABEL_RUN: ""}):
        if _is_of(run_id, state.labels):
            engine.remove(state.id)
    for volume in engine.volumes({LABEL_RUN: ""}):
        if _is_of(run_id, volume.labels):
            engine.remove_volume(volume.name)
    left = [v.name for v in engine.volumes({LABEL_RUN: ""}) if _is_of(run_id, v.labels)]
    assert not left, f"volumes of removed containers are left: {left}"


def _is_of(run_id: str, labels: Mapping[str, str]) -> bool:
    run = labels.get(LABEL_RUN, "")
    return run == run_id or run.startswith(f"{run_id}-")
