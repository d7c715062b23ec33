"""A real Docker Engine for whoever asks, and the proof that nothing of ours is left on it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Sequence

import hypothesis
import pytest

from pushtrain.engine.connection import Connection
from pushtrain.engine.docker_engine import DockerEngine
from pushtrain.entities import Image
from pushtrain.errors import PushtrainError
from pushtrain.interfaces import LABEL_RUN, Limits, Mount, SandboxSpec
from support import busybox as image
from support import python_image as python
from support.engines import SecondEngine, over_tls, second_engine, ssh_server
from support.leftovers import clear

MIB = 1024**2

# How long one example takes says how busy the machine is, not whether the code is right.
hypothesis.settings.register_profile("pushtrain", deadline=None)
hypothesis.settings.load_profile("pushtrain")


@pytest.fixture(scope="session")
def run_id() -> str:
    """The run that all containers of this test session belong to: no other session's."""
    return f"test-{os.getpid()}-{secrets.token_hex(4)}"


@pytest.fixture(scope="session")
def connection() -> Connection:
    """The way to the machine's engine; without one the test fails, it never skips."""
    made = Connection.from_environment()
    try:
        DockerEngine(made).facts()
    except PushtrainError as error:
        pytest.fail(f"this test needs a Docker Engine: {error}", pytrace=False)
    return made


@pytest.fixture(scope="session")
def engine(connection: Connection, run_id: str) -> Iterator[DockerEngine]:
    """The machine's engine, which holds nothing of this session afterwards."""
    yield DockerEngine(connection)
    clear(connection, run_id)


@pytest.fixture(scope="session")
def busybox(connection: Connection, run_id: str) -> Iterator[str]:
    """A tiny image on the machine's engine; see support/busybox.py for what is in it."""
    with image.loaded(connection, run_id) as tag:
        yield tag


@pytest.fixture(scope="session")
def python_image(connection: Connection, run_id: str) -> Iterator[Image]:
    """A small image with Python on the machine's engine; see support/python_image.py."""
    with python.loaded(connection, run_id) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecondEngine]:
    """A second engine, which sees another file system than the tests do."""
    with second_engine(tmp_path_factory.mktemp("engine")) as started:
        yield started


@pytest.fixture(scope="module")
def by_tls(second: SecondEngine, run_id: str) -> Iterator[Connection]:
    """The second engine by TCP with TLS."""
    made = over_tls(second)
    yield made
    clear(made, run_id)


@pytest.fixture(scope="module")
def by_ssh(
    second: SecondEngine, run_id: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Connection]:
    """The second engine by SSH."""
    home = tmp_path_factory.mktemp("ssh")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        with ssh_server(home, second) as address:
            made = Connection.from_environment({"DOCKER_HOST": address})
            yield made
            clear(made, run_id)


@pytest.fixture
def spec(run_id: str, busybox: str) -> Callable[..., SandboxSpec]:
    """Makes the spec of a container of this session that runs a shell script."""

    def make(
        script: str,
        *,
        mounts: Sequence[Mount] = (),
        environment: dict[str, str] | None = None,
        labels: dict[str, str] | None = None,
        **limits: object,
    ) -> SandboxSpec:
        usual = {
            "memory": 64 * MIB,
            "cpus": 1.0,
            "pids": 32,
            "disk": 16 * MIB,
            "shm": 8 * MIB,
            "log": MIB,
        }
        return SandboxSpec(
            name=f"{run_id}-{secrets.token_hex(4)}",
            image=busybox,
            command=("/bin/sh", "-c", script),
            labels={LABEL_RUN: run_id, **(labels or {})},
            limits=Limits(**{**usual, **limits}),
            mounts=mounts,
            environment=environment or {},
        )

    return make
