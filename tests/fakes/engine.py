"""An engine without containers, whose worker is a script of the test's own.

It speaks the worker's protocol (worker/PROTOCOL.md) as well or as badly as a test wants.
"""

from __future__ import annotations

import io
import itertools
import json
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, TypeAlias

from pushtrain.errors import PushtrainError, SandboxError
from pushtrain.interfaces import (
    LABEL_CHECKPOINTS,
    EngineFacts,
    OutgoingFile,
    SandboxSpec,
    SandboxState,
    VolumeState,
)

Said: TypeAlias = Mapping[str, Any] | bytes | BaseException
"""An event's fields (v, seq and time are added), a raw line, or an error of the engine."""
Behaviour: TypeAlias = Callable[["FakeSandbox", dict[str, Any]], Iterable[Said]]
"""What a worker says when it gets an order."""

READY: Mapping[str, Any] = {
    "event": "ready",
    "seconds": 0.1,
    "python": "3.12.1",
    "versions": {"keras": "3.1"},
    "data": {},
}


def outcome(order: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    """A result.json of a trial that went well and measured an accuracy of 0.9."""
    usual = {
        "protocol": 1,
        "trial": order["trial"],
        "attempt": order["attempt"],
        "exit": {"code": 0, "signal": None},
        "measurements": [
            {"metric": "accuracy", "value": 0.9, "role": "held-out", "source": "train.py:1"}
        ],
    }
    return {**usual, **fields}


def ended(order: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    """The event that ends a trial; `fields` bend its result."""
    return {
        "event": "trial_ended",
        "trial": order["trial"],
        "result": outcome(order, **fields),
    }


def well(sandbox: FakeSandbox, order: dict[str, Any]) -> Iterator[Said]:
    """A trial that goes well."""
    trial = order["trial"]
    yield {"event": "trial_started", "trial": trial, "attempt": order["attempt"]}
    yield {"event": "log", "trial": trial, "text": "hello\n"}
    yield {"event": "alive", "trial": trial, "memory": 1000, "disk": 0}
    metrics = {"val_accuracy": 0.9}
    epoch = {"event": "epoch", "trial": trial, "epoch": 1, "epochs": 1, "seconds": 0.1}
    yield {**epoch, "metrics": metrics}
    yield ended(order)


class FakeSandbox:
    """One container; see `pushtrain.interfaces.Sandbox`."""

    def __init__(self, engine: FakeEngine, identity: str, spec: SandboxSpec) -> None:
        self.id = identity
        self.engine_was_away = False
        self.spec = spec
        self.files: dict[str, bytes] = {}
        """What was put, by absolute path."""
        self.signals: queue.Queue[str] = queue.Queue()
        self.output: dict[str, bytes] = {}
        """What `fetch` gives of any path, by relative path."""
        self.fetch_error: PushtrainError | None = None
        self.final: SandboxState | None = None
        """What the engine knows of it after its end; None while it runs."""
        self.is_removed = threading.Event()
        self._engine = engine
        self._orders: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._is_started = threading.Event()

    def put(self, directory: str, files: Iterable[OutgoingFile]) -> None:
        if self.is_removed.is_set():
            raise SandboxError(f"container {self.id} is gone", status=404)
        for file in files:
            self.files[f"{directory}/{file.path}"] = file.content or b""
            if file.path == "READY":
                self._orders.put(json.loads(self.files[f"{directory}/order.json"]))

    def start(self) -> None:
        self._is_started.set()

    def follow(self) -> Iterator[bytes]:
        self._is_started.wait()
        seq = itertools.count(1)
        yield from self._lines(self._engine.greeting, seq)
        while not self.is_removed.is_set() and self.final is None:
            order = self._orders.get()
            if order is not None:
                yield from self._lines(self._engine.behave(self, order), seq)

    def fetch(self, path: str, *, most: int) -> Iterator[tuple[str, BinaryIO]]:
        if self.fetch_error is not None:
            raise self.fetch_error
        for name, content in self.output.items():
            yield name, io.BytesIO(content)

    def signal(self, name: str) -> None:
        self.signals.put(name)

    def state(self) -> SandboxState | None:
        if self.is_removed.is_set():
            return None
        return self.final or SandboxState(
            self.id, self.spec.name, self.spec.labels, True, None, False
        )

    def end(self, exit_code: int, *, oom_killed: bool = False, error: str = "") -> None:
        """Ends the container; a behaviour calls it before it returns."""
        self.final = SandboxState(
            self.id, self.spec.name, self.spec.labels, False, exit_code, oom_killed, error
        )

    def remove(self) -> None:
        self.is_removed.set()
        self._orders.put(None)
        self.signals.put("SIGKILL")

    def _lines(self, said: Iterable[Said], seq: Iterator[int]) -> Iterator[bytes]:
        for one in said:
            if self.is_removed.is_set():
                return
            if isinstance(one, BaseException):
                raise one
            yield one if isinstance(one, bytes) else _event(one, seq)


class FakeEngine:
    """See `pushtrain.interfaces.Engine`.

    Args:
        behave: what a worker says when it gets an order.
        greeting: what it says after its start.
    """

    def __init__(self, behave: Behaviour = well, greeting: Sequence[Said] = (READY,)) -> None:
        self.behave = behave
        self.greeting = greeting
        self.sandboxes: list[FakeSandbox] = []
        """Every container that was launched, in order."""
        self.launch_error: PushtrainError | None = None
        self.kept: dict[str, VolumeState] = {}
        """The volumes for checkpoints."""

    def facts(self) -> EngineFacts:
        return EngineFacts("fake://", "20.10", "1.41", "overlay2", 2, 2**32, "fake", "/fake")

    def launch(self, spec: SandboxSpec, files: Iterable[OutgoingFile] = ()) -> FakeSandbox:
        if self.launch_error is not None:
            raise self.launch_error
        if any(sandbox.spec.name == spec.name for sandbox in self.running):
            raise SandboxError(f"container {spec.name} cannot be created: already in use")
        if spec.checkpoints:
            labels = {**spec.labels, LABEL_CHECKPOINTS: spec.name}
            self.kept.setdefault(spec.checkpoints, VolumeState(spec.checkpoints, labels))
        sandbox = FakeSandbox(self, f"c{len(self.sandboxes) + 1}", spec)
        sandbox.put("/pushtrain", files)
        self.sandboxes.append(sandbox)
        return sandbox

    def find(self, labels: Mapping[str, str]) -> Sequence[SandboxState]:
        states = (sandbox.state() for sandbox in self.running)
        return [state for state in states if state is not None and _carries(state, labels)]

    def remove(self, container: str, *, grace: float = 0) -> None:
        for sandbox in self.running:
            if container in (sandbox.id, sandbox.spec.name):
                sandbox.remove()

    def volumes(self, labels: Mapping[str, str]) -> Sequence[VolumeState]:
        return [state for state in self.kept.values() if _carries(state, labels)]

    def remove_volume(self, name: str) -> None:
        if any(sandbox.spec.checkpoints == name for sandbox in self.running):
            raise SandboxError(f"volume {name} is in use", status=409)
        self.kept.pop(name, None)

    @property
    def running(self) -> list[FakeSandbox]:
        """The containers that have not been removed."""
        return [sandbox for sandbox in self.sandboxes if not sandbox.is_removed.is_set()]


def _carries(state: SandboxState | VolumeState, labels: Mapping[str, str]) -> bool:
    return all(k in state.labels and v in ("", state.labels[k]) for k, v in labels.items())


def _event(fields: Mapping[str, Any], seq: Iterator[int]) -> bytes:
    return json.dumps({"v": 1, "seq": next(seq), "time": 1.0, **fields}).encode()
