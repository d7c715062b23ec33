"""The events of a Docker Engine, for whoever waits for containers to end."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator

from pushtrain.engine.connection import Connection
from pushtrain.errors import PushtrainError
from pushtrain.interfaces import LABEL_RUN

_log = logging.getLogger(__name__)

_WHICH = {"type": ["container"], "event": ["die", "destroy"], "label": [LABEL_RUN]}
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 15.0
"""Seconds between two tries to reach an engine that is away."""


class DockerEvents:
    """See `pushtrain.interfaces.EngineEvents`.

    Args:
        connection: the way to the engine.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def wakeups(self) -> Iterator[None]:
        """Gives something when it has connected, and whenever a container of ours has ended."""
        pause = _FIRST_PAUSE
        while True:
            try:
                for _ in self._stream():
                    pause = _FIRST_PAUSE
                    yield
            except PushtrainError as error:
                _log.info("the engine's events are not heard: %s", error)
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _stream(self) -> Iterator[None]:
        """One connection, until it breaks; one on which nothing comes for long counts as broken."""
        what = "the engine's events cannot be read"
        filters = {"filters": json.dumps(_WHICH)}
        with self._connection.streaming("/events", what, parameters=filters) as answer:
            yield
            for _ in answer.iter_content(chunk_size=None):
                yield
