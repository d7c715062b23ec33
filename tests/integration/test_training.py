"""Training on real engines: near and far, side by side, with data, and after a driver's death."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from pushtrain.engine.connection import Connection
from pushtrain.engine.docker_engine import DockerEngine
from pushtrain.engine.docker_sandbox import DockerSandbox
from pushtrain.entities import Cause, Image, TrialState
from pushtrain.interfaces import LABEL_RUN, Mount
from pushtrain.trial import ContainerTrainer, Job, remove_leftovers
from support import python_image as python
from support.engines import SecondEngine
from support.training import LIMITS, QUICK, Watcher, job, trial

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("engine")]

WELL = "import pushtrain; pushtrain.report(accuracy=0.9)"
WAITS = "import time\nprint('waits', flush=True)\nwhile True: time.sleep(1)"


@pytest.fixture
def asked(run_id: str, python_image: Image, tmp_path: Path) -> Job:
    return job(tmp_path, run=f"{run_id}-training", image=python_image)


@pytest.fixture(autouse=True)
def nothing_is_left(run_id: str, engine: DockerEngine) -> Iterator[None]:
    yield
    assert not engine.find({LABEL_RUN: f"{run_id}-training"})


def volumes(connection: Connection, run: str) -> set[str]:
    with connection.calling("the volumes cannot be listed") as client:
        found = client.volumes(filters={"label": f"{LABEL_RUN}={run}"})["Volumes"] or []
    return {volume["Name"] for volume in found}


# --- several, and what is left of them ---------------------------------------------------------


def test_several_workers_of_a_run_train_side_by_side(
    asked: Job, engine: DockerEngine, connection: Connection
) -> None:
    trainers = [ContainerTrainer(engine, replace(asked, worker=n), QUICK) for n in (0, 1)]
    together = "import time, pushtrain\nprint('on', flush=True)\ntime.sleep(0.5)\n"
    began = threading.Barrier(2)

    def live(number: int) -> float | None:
        trainer = trainers[number]
        trainer.start()
        script = (
            f"{together}open('mine', 'w').write('{number}')\npushtrain.report(accuracy={number})"
        )

        def meet(text: str) -> None:
            began.wait(60)

        watcher = Watcher(on_text=meet)
        return trainer.train(trial(number, script), watcher).value

    try:
        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(live, (0, 1))) == [0, 1]
        states = engine.find({LABEL_RUN: asked.run})
        assert {s.name for s in states} == {f"pushtrain-{asked.run}-{n}-0" for n in (0, 1)}
        assert len(volumes(connection, asked.run)) == 4
        for number in (0, 1):
            path = asked.trials / str(number) / "out/files/mine"
            assert path.read_text() == str(number)
    finally:
        for trainer in trainers:
            trainer.close()
    kept = {f"pushtrain-{asked.run}-{n}" for n in (0, 1)}
    assert volumes(connection, asked.run) == kept, "checkpoints outlive their containers"
    remove_leftovers(engine, asked.run, 9, checkpoints=True)
    assert volumes(connection, asked.run) == set()


def test_what_a_dead_driver_left_is_removed_by_the_next(
    asked: Job, engine: DockerEngine, connection: Connection
) -> None:
    dead = [ContainerTrainer(engine, replace(asked, worker=n), QUICK) for n in (0, 1)]
    for one in dead:
        one.start()
    heir = ContainerTrainer(engine, replace(asked, lease=10), QUICK)
    heir.start()
    assert len(engine.find({LABEL_RUN: asked.run})) == 3
    assert remove_leftovers(engine, asked.run, 9) == 2
    assert remove_leftovers(engine, asked.run, 9) == 0, "not what is the next driver's"
    assert heir.train(trial(1, WELL), Watcher()).value == 0.9
    assert remove_leftovers(engine, asked.run, 10, checkpoints=True) == 1
    assert volumes(connection, asked.run) == set()


@pytest.mark.parametrize(
    ("how", "told"), [("kill", "exit 137"), ("remove", "removed from outside")]
)
def test_a_container_that_others_end_costs_one_trial(
    asked: Job, engine: DockerEngine, connection: Connection, how: str, told: str
) -> None:
    trainer = ContainerTrainer(engine, asked, QUICK)
    trainer.start()
    (state,) = engine.find({LABEL_RUN: asked.run})

    def end(text: str) -> None:
        if how == "kill":
            DockerSandbox(connection, state.id).signal("SIGKILL")
        else:
            engine.remove(state.id)

    try:
        result = trainer.train(trial(1, WAITS), Watcher(on_text=end))
        assert result.state is TrialState.FAILED and result.failure is not None
        assert result.failure.cause is Cause.KILLED and told in result.failure.message
        assert trainer.train(trial(2, WELL), Watcher()).value == 0.9
    finally:
        trainer.close()


# --- data and network --------------------------------------------------------------------------


def test_declared_data_is_read_and_never_written(
    asked: Job, engine: DockerEngine, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "x.csv").write_text("0.75")
    mounted = replace(asked, mounts=(Mount(str(data), "/data"),))
    reads = "import pushtrain; pushtrain.report(accuracy=float(open('/data/x.csv').read()))"
    fingerprints = []
    for content in ("0.75", "0.75", "0.875"):
        (data / "x.csv").write_text(content)
        trainer = ContainerTrainer(engine, mounted, QUICK)
        try:
            fingerprints.append(trainer.start())
            result = trainer.train(trial(1, reads), Watcher())
            assert result.value == float(content), result
            refused = trainer.train(trial(2, "open('/data/y', 'w')"), Watcher())
        finally:
            trainer.close()
        assert refused.failure is not None and "Read-only file system" in refused.failure.message
    first, same, other = fingerprints
    assert first == same != other
    assert first["/data"].startswith("sha256:")


def test_a_network_is_there_where_it_was_granted(asked: Job, engine: DockerEngine) -> None:
    reach = """
import socket, struct
import pushtrain
routes = [line.split() for line in open("/proc/net/route")]
way = next(int(gateway, 16) for _, target, gateway, *_ in routes if target == "0" * 8)
gateway = socket.inet_ntoa(struct.pack("<L", way))
with socket.create_connection((gateway, PORT), timeout=10) as connection:
    pushtrain.report(accuracy=float(connection.recv(10)))
"""
    with socket.create_server(("0.0.0.0", 0)) as server:
        script = reach.replace("PORT", str(server.getsockname()[1]))

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"0.5")

        threading.Thread(target=serve, daemon=True).start()
        granted = replace(asked, limits=replace(LIMITS, network=True))
        trainer = ContainerTrainer(engine, granted, QUICK)
        try:
            trainer.start()
            assert trainer.train(trial(1, script), Watcher()).value == 0.5
        finally:
            trainer.close()


# --- engines elsewhere -------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["tls", "ssh"])
def test_an_engine_that_sees_another_file_system_trains_the_same(
    way: str, second: SecondEngine, run_id: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    engine = DockerEngine(request.getfixturevalue(f"by_{way}"))
    with python.loaded(request.getfixturevalue("by_tls"), run_id) as image:
        asked = job(tmp_path, run=run_id, image=image, mounts=(Mount(str(second.data), "/data"),))
        (asked.source / "values.txt").write_text("0.625")
        script = (
            "import os, pushtrain\nopen('model.bin', 'wb').write(bytes(range(256)) * 4096)\n"
            "print(os.listdir('/data'))\n"
            "pushtrain.report(accuracy=float(open('values.txt').read()))"
        )
        trainer = ContainerTrainer(engine, asked, QUICK)
        try:
            assert trainer.start().keys() == {"/data"}
            watcher = Watcher()
            result = trainer.train(trial(1, script), watcher)
        finally:
            trainer.close()
    assert result.value == 0.625, result.failure
    assert watcher.text == "[]\n"
    (artifact,) = result.artifacts
    content = bytes(range(256)) * 4096
    assert artifact.sha256 == f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert (asked.trials / "1" / artifact.path).read_bytes() == content
    assert not engine.find({LABEL_RUN: run_id})
