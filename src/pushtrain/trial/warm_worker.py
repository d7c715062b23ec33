"""A container with a worker in it: fed, listened to, and removed; what it says is checked."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from pushtrain.errors import PushtrainError
from pushtrain.interfaces import Engine, OutgoingFile, Sandbox, SandboxSpec, SandboxState
from pushtrain.trial.protocol import BadOutput, WorkerEvent, parse_event

ROOT = "/pushtrain"
"""Where everything of ours lies inside the container; see worker/PROTOCOL.md."""

_WAITING_LINES = 64
_SETTLING = 10.0
"""Seconds that an engine may take to know of a container's end after its output has ended."""


class WorkerEnded(Exception):
    """The container has ended by itself or from outside; `state` is None where it is gone."""

    def __init__(self, state: SandboxState | None) -> None:
        super().__init__(state)
        self.state = state


class WarmWorker:
    """A live handle on one worker.

    `wake` and `remove` may be called from any thread, everything else from one. Whatever the
    engine refuses is raised as SandboxError, and EngineUnreachable when it does not answer.

    Args:
        engine: where its container is launched, at once; nothing runs before `start`.
        spec: its container.
        files: what lies below `/pushtrain` from its start on.
    """

    def __init__(self, engine: Engine, spec: SandboxSpec, files: Iterable[OutgoingFile]) -> None:
        self._engine = engine
        self._sandbox: Sandbox = engine.launch(spec, files)
        self._lines: queue.Queue[bytes | PushtrainError | None] = queue.Queue(_WAITING_LINES)
        self._removed = threading.Event()
        self._ear = threading.Thread(target=self._hear, name=f"ear-{spec.name}", daemon=True)
        self._has_ended = False
        self._seq = 0
        self.heard = 0
        """Bytes that it has said so far."""

    def put(self, directory: str, files: Iterator[OutgoingFile]) -> None:
        """Puts files below `/pushtrain/<directory>`, in the order given."""
        self._sandbox.put(f"{ROOT}/{directory}".rstrip("/"), files)

    def start(self) -> None:
        """Starts the container and listens to it."""
        self._sandbox.start()
        self._ear.start()

    def next(self, seconds: float) -> WorkerEvent | None:
        """What it says next; None after so many seconds, or when woken.

        Raises:
            BadOutput: a line that breaks the protocol.
            WorkerEnded: it says nothing more.
        """
        try:
            line = self._lines.get(timeout=max(seconds, 0))
        except queue.Empty:
            return None
        if line is None:
            if not self._has_ended:
                return None
            raise WorkerEnded(self._final_state())
        if isinstance(line, PushtrainError):
            raise line
        self.heard += len(line)
        event = parse_event(line)
        if event.seq != self._seq + 1:
            raise BadOutput(f"event {event.seq} after event {self._seq}")
        self._seq = event.seq
        return event

    @property
    def engine_was_away(self) -> bool:
        """Whether the engine did not answer at some time while the worker was listened to."""
        return self._sandbox.engine_was_away

    def is_quiet(self) -> bool:
        """Whether it waits for an order: nothing unheard, and not at its end."""
        return self._ear.is_alive() and self._lines.empty()

    def wake(self) -> None:
        """Makes a waiting `next` return."""
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(None)

    def signal(self, name: str) -> None:
        """Sends a signal to the worker."""
        self._sandbox.signal(name)

    def fetch(self, path: str, *, most: int) -> Iterator[tuple[str, BinaryIO]]:
        """The files below `/pushtrain/<path>`; see `Sandbox.fetch`."""
        return self._sandbox.fetch(f"{ROOT}/{path}", most=most)

    def state(self) -> SandboxState | None:
        """What the engine knows of its container."""
        return self._sandbox.state()

    def remove(self, *, grace: float = 0) -> None:
        """Ends (SIGTERM, `grace` seconds, SIGKILL) and removes the container; idempotent."""
        self._removed.set()
        self.wake()
        self._engine.remove(self._sandbox.id, grace=grace)
        if self._ear.is_alive() and self._ear is not threading.current_thread():
            self._ear.join(timeout=_SETTLING)

    def _hear(self) -> None:
        try:
            for line in self._sandbox.follow():
                if not self._pass_on(line):
                    return
        except PushtrainError as error:
            self._pass_on(error)
        self._has_ended = True
        self._pass_on(None)

    def _pass_on(self, line: bytes | PushtrainError | None) -> bool:
        """Waits until there is room, so that a worker that talks too much waits as well."""
        while not self._removed.is_set():
            with contextlib.suppress(queue.Full):
                self._lines.put(line, timeout=0.2)
                return True
        return False

    def _final_state(self) -> SandboxState | None:
        deadline = time.monotonic() + _SETTLING
        state = self._sandbox.state()
        while state is not None and state.is_running and time.monotonic() < deadline:
            if self._removed.wait(0.05):
                break
            state = self._sandbox.state()
        return state
