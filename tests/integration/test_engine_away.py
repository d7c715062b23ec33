"""Connections that drop, engines that go away, and pushtrain in a container of its own."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pushtrain.engine import docker_sandbox
from pushtrain.engine.connection import Connection
from pushtrain.engine.docker_engine import DockerEngine
from pushtrain.engine.docker_sandbox import DockerSandbox
from pushtrain.errors import EngineUnreachable
from pushtrain.interfaces import LABEL_RUN, OutgoingFile, SandboxSpec
from support.relay import Relay, relay

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("engine")]

Spec = Callable[..., SandboxSpec]

WAIT = "while [ ! -e /pushtrain/go ]; do sleep 0.05; done; "
GO = (OutgoingFile("go", b""),)
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def dropping(engine: DockerEngine, tmp_path: Path) -> Iterator[Relay]:
    """A relay in front of the machine's engine."""
    address = engine.facts().address
    assert address.startswith("unix://"), "this test relays the engine's socket; unset DOCKER_HOST"
    with relay(tmp_path / "relay.sock", address.removeprefix("unix://")) as made:
        yield made


@pytest.fixture
def far(dropping: Relay, tmp_path: Path) -> DockerEngine:
    """The machine's engine, by way of the relay."""
    return DockerEngine(Connection(f"unix://{tmp_path}/relay.sock"))


def test_no_line_is_lost_or_repeated_when_connections_drop(
    far: DockerEngine, dropping: Relay, spec: Spec
) -> None:
    sandbox = far.launch(spec(f"seq 20000; {WAIT} seq 20001 20100"))
    sandbox.start()
    heard = []
    for line in sandbox.follow():
        heard.append(int(line))
        if len(heard) in (1, 7_000, 20_000):
            dropping.cut()
        if len(heard) == 20_000:
            sandbox.put("/pushtrain", iter(GO))
    assert heard == list(range(1, 20_101))


def test_following_outlives_an_engine_that_goes_and_comes_back(
    far: DockerEngine, dropping: Relay, connection: Connection, spec: Spec
) -> None:
    sandbox = far.launch(spec(f"echo before; {WAIT} echo after"))
    sandbox.start()
    lines = sandbox.follow()
    heard = [next(lines)]
    listener = threading.Thread(target=lambda: heard.extend(lines))
    dropping.is_away = True
    dropping.cut()
    listener.start()
    with dropping.was_dropped:
        assert dropping.was_dropped.wait_for(lambda: dropping.dropped >= 3, timeout=30)
    near = DockerSandbox(connection, sandbox.id)
    near.put("/pushtrain", iter(GO))  # it printed while nobody listened
    dropping.is_away = False
    listener.join()
    assert heard == [b"before", b"after"]
    assert sandbox.engine_was_away


def test_patience_has_an_end(
    far: DockerEngine, dropping: Relay, spec: Spec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docker_sandbox, "_PATIENCE", 0.3)
    sandbox = far.launch(spec("echo before; while :; do sleep 1; done"))
    sandbox.start()
    lines = sandbox.follow()
    assert next(lines) == b"before"
    dropping.close()
    with pytest.raises(EngineUnreachable):
        next(lines)


def test_what_is_cut_off_while_it_is_fetched_is_never_taken_for_whole(
    far: DockerEngine, dropping: Relay, spec: Spec
) -> None:
    sandbox = far.launch(spec("cd /pushtrain/trials; head -c 12000000 /dev/zero >big"))
    sandbox.start()
    assert list(sandbox.follow()) == []
    (_, file) = next(files := sandbox.fetch("/pushtrain/trials", most=2**24))
    assert file.read(1000) == bytes(1000)
    dropping.cut()
    with pytest.raises(EngineUnreachable):
        file.read()
    files.close()


def test_a_call_that_finds_no_engine_says_so_and_the_next_connects_anew(
    far: DockerEngine, dropping: Relay
) -> None:
    assert far.facts().version
    dropping.is_away = True
    dropping.cut()
    with pytest.raises(EngineUnreachable, match=r"relay\.sock"):
        far.facts()
    dropping.is_away = False
    assert far.facts().version


@pytest.mark.parametrize(
    ("contract", "subset"),
    [
        ("test_engine.py", "socket and (files or follow or state or fetch or removal)"),
        ("test_trainer.py", "container and value"),
    ],
)
def test_a_contract_holds_inside_a_container_that_was_given_the_socket(
    contract: str,
    subset: str,
    engine: DockerEngine,
    connection: Connection,
    busybox: str,
    run_id: str,
) -> None:
    """The contract's own tests run in a container: it shares the socket, and no other file."""
    socket = engine.facts().address.removeprefix("unix://")
    ours = {sys.base_prefix, str(REPOSITORY), "/usr", "/lib", "/lib64"}
    mounts = [f"{path}:{path}:ro" for path in sorted(ours) if Path(path).exists()]
    chosen = ["-n0", "-k", subset, f"tests/contract/{contract}"]
    with connection.calling("the container cannot be run") as client:
        made = client.create_container(
            busybox,
            [sys.executable, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", *chosen],
            environment={"PATH": "/usr/bin:/bin", "HOME": "/tmp"},
            labels={LABEL_RUN: run_id},
            working_dir=str(REPOSITORY),
            host_config=client.create_host_config(
                binds=[*mounts, f"{socket}:/var/run/docker.sock"],
                tmpfs={"/tmp": ""},
                network_mode="none",
                init=True,
            ),
        )
        client.start(made)
        status = client.wait(made)["StatusCode"]
        output = client.logs(made).decode()
    assert status == 0, output
    assert " passed" in output and "deselected" in output
