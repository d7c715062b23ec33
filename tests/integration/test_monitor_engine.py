"""The monitor and a real engine: what wakes it, and what it removes."""

from __future__ import annotations

import io
import queue
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pushtrain.engine import docker_events
from pushtrain.engine.connection import Connection
from pushtrain.engine.docker_engine import DockerEngine
from pushtrain.engine.docker_events import DockerEvents
from pushtrain.engine.docker_images import DockerImageStore
from pushtrain.entities import RunState
from pushtrain.events import Published
from pushtrain.interfaces import LABEL_IMAGE, LABEL_RUN, SandboxSpec
from pushtrain.monitor import Monitor, What
from pushtrain.rescue import Rescue
from pushtrain.store import LiveRun, RunFolder, Store
from support import records
from support.paused import other, until
from support.relay import Relay, relay

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("engine")]

Spec = Callable[..., SandboxSpec]


class Heard:
    """What an engine's events say, by a thread that listens until the tests are over."""

    def __init__(self, connection: Connection) -> None:
        self._queue: queue.Queue[None] = queue.Queue()
        threading.Thread(target=self._listen, args=(connection,), daemon=True).start()

    def _listen(self, connection: Connection) -> None:
        for _ in DockerEvents(connection).wakeups():
            self._queue.put(None)

    def wait(self) -> None:
        self._queue.get(timeout=30)

    def nothing(self) -> bool:
        return self._queue.empty()


@pytest.fixture
def dropping(engine: DockerEngine, tmp_path: Path) -> Iterator[tuple[Relay, Connection]]:
    address = engine.facts().address
    assert address.startswith("unix://"), "this test relays the engine's socket; unset DOCKER_HOST"
    with relay(tmp_path / "relay.sock", address.removeprefix("unix://")) as made:
        yield made, Connection(f"unix://{tmp_path}/relay.sock")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker_events, "_FIRST_PAUSE", 0.02)


def run(engine: DockerEngine, spec: SandboxSpec) -> None:
    """A container from its start to its removal."""
    sandbox = engine.launch(spec)
    sandbox.start()
    assert list(sandbox.follow()) == [b"done"]
    engine.remove(sandbox.id)


def test_a_container_of_ours_that_ends_is_told(
    connection: Connection, engine: DockerEngine, spec: Spec
) -> None:
    heard = Heard(connection)
    heard.wait()  # it is connected
    run(engine, spec("echo done"))
    heard.wait()  # it ended
    heard.wait()  # it was removed


def test_what_is_not_ours_is_not(
    connection: Connection, engine: DockerEngine, spec: Spec, busybox: str
) -> None:
    heard = Heard(connection)
    heard.wait()
    with connection.calling("a foreign container") as client:
        foreign = client.create_container(busybox, ["/bin/sh", "-c", "exit 0"])["Id"]
        client.start(foreign)
        client.wait(foreign)
        client.remove_container(foreign)
    assert heard.nothing()
    run(engine, spec("echo done"))
    heard.wait()


def test_a_connection_that_drops_is_made_again(
    dropping: tuple[Relay, Connection], engine: DockerEngine, spec: Spec
) -> None:
    between, connection = dropping
    heard = Heard(connection)
    heard.wait()
    for _ in range(3):
        between.cut()
        heard.wait()  # whatever was missed, somebody looks now
    run(engine, spec("echo done"))
    heard.wait()


def test_an_engine_that_is_away_is_waited_for(dropping: tuple[Relay, Connection]) -> None:
    between, connection = dropping
    heard = Heard(connection)
    heard.wait()
    between.is_away = True
    between.cut()
    with between.was_dropped:
        assert between.was_dropped.wait_for(lambda: between.dropped >= 3, timeout=30)
    assert heard.nothing()
    between.is_away = False
    heard.wait()


def test_what_no_living_run_owns_is_removed_and_nothing_else(
    engine: DockerEngine, spec: Spec, run_id: str, tmp_path: Path
) -> None:
    """The run that all containers here belong to is over; those of another home stay."""
    run = f"{run_id}-over"
    store = Store(tmp_path / "home")
    made = store.create("x")
    folder = RunFolder(run, made.path.rename(made.path.with_name(run)))
    ours = replace(spec("sleep 600", labels={LABEL_RUN: run}), checkpoints=f"{run}-kept")
    foreign = spec("sleep 600", labels={LABEL_RUN: f"{run_id}-other"})
    for one in (ours, foreign):
        engine.launch(one).start()
    told: list[tuple[What, str]] = []

    def passed() -> bool:
        told.clear()
        monitor = Monitor(store, engine, Rescue(store, lambda live: None), lambda: ())
        return monitor.once(lambda action, error: told.append((action.what, action.subject)))

    try:
        for event in (*records.events(state=RunState.STOPPED), Published()):
            LiveRun(folder).append(event)
        with folder.driving():
            assert passed() and told == []
        assert passed() and told == [(What.REMOVE, ours.name)]
        assert [v.name for v in engine.volumes({LABEL_RUN: run})] == [f"{run}-kept"]
        folder.journal.unlink()  # stopped, it may go on from its checkpoints; met, it does not
        for event in (*records.events(), Published()):
            LiveRun(folder).append(event)
        assert passed() and told == [(What.REMOVE_CHECKPOINTS, f"{run}-kept")]
        assert passed() and told == []
        assert engine.find({LABEL_RUN: run}) == []
        assert [c.name for c in engine.find({LABEL_RUN: f"{run_id}-other"})] == [foreign.name]
    finally:
        for run_ in (run, f"{run_id}-other"):
            for left in engine.find({LABEL_RUN: run_}):
                engine.remove(left.id)


def test_a_builder_that_is_killed_leaves_no_half_made_image(
    connection: Connection, busybox: str, run_id: str
) -> None:
    """The engine ends the step that was under way; the layers before it are what the next build
    begins with."""
    tag = f"pushtrain-{run_id}:killed"
    steps = f"FROM {busybox}\nRUN echo one\nRUN echo two; [ -e /done ] || sleep 600\n"

    def build(store: DockerImageStore, steps: str, said: Callable[[str], None]) -> str:
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as archive:
            member = tarfile.TarInfo("Dockerfile")
            member.size = len(steps)
            archive.addfile(member, io.BytesIO(steps.encode()))
        stream.seek(0)
        return store.build(tag, stream, arguments={}, labels={LABEL_IMAGE: "x"}, on_line=said)

    def work(pipe: Any) -> None:
        build(DockerImageStore(Connection.from_environment()), steps, pipe.send)

    def under_way() -> int:
        """Containers of the build's own."""
        listed = connection.open().containers(all=True)
        return sum("sleep 600" in one["Command"] and "echo two" in one["Command"] for one in listed)

    store = DockerImageStore(connection)
    with other(work) as builder:
        until(lambda: builder.hear() == "two")
        assert under_way() == 1
        builder.kill()
    try:
        until(lambda: under_way() == 0)
        assert store.find(tag) is None
        said: list[str] = []
        image = build(store, steps.replace("sleep 600", "true"), said.append)
        assert store.find(tag) is not None
        assert "one" not in said  # that layer was there
        with connection.calling("its layers") as client:
            assert len(client.history(image)) > 2
    finally:
        store.remove(tag)
