"""The contract of Engine and Sandbox (pushtrain.interfaces), held against real engines.

The same tests run on the machine's engine by its socket, and on a second engine, which sees
another file system than the tests do, by TCP with TLS and by SSH.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import trustme

from pushtrain.engine.connection import Connection
from pushtrain.engine.docker_engine import DockerEngine
from pushtrain.errors import EngineUnreachable, SandboxError, SettingsError
from pushtrain.interfaces import LABEL_RUN, LABEL_TRIAL, Mount, OutgoingFile, SandboxSpec
from support import busybox as image
from support.engines import SecondEngine, over_tls

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("engine")]

Spec = Callable[..., SandboxSpec]

WAIT = "while [ ! -e /pushtrain/go ]; do sleep 0.05; done; "
"""Holds a script until the test puts `go`."""
GO = (OutgoingFile("go", b""),)
TRIALS = "cd /pushtrain/trials; "


@pytest.fixture(scope="module", params=["socket", "tls", "ssh"])
def reached(request: pytest.FixtureRequest, run_id: str) -> Iterator[tuple[Connection, str]]:
    """A connection, and the tag of busybox on the engine behind it."""
    if request.param == "socket":
        request.getfixturevalue("engine")
        yield request.getfixturevalue("connection"), request.getfixturevalue("busybox")
    else:
        made = request.getfixturevalue(f"by_{request.param}")
        with image.loaded(made, run_id) as tag:
            yield made, tag


@pytest.fixture
def engine_here(reached: tuple[Connection, str]) -> DockerEngine:
    return DockerEngine(reached[0])


@pytest.fixture
def container(spec: Spec, reached: tuple[Connection, str]) -> Spec:
    """Makes the spec of a container for the engine that is reached."""

    def make(script: str, **wishes: object) -> SandboxSpec:
        return dataclasses.replace(spec(script, **wishes), image=reached[1])

    return make


# --- the life of a container -------------------------------------------------------------------


def test_facts(engine_here: DockerEngine, reached: tuple[Connection, str]) -> None:
    facts = engine_here.facts()
    assert facts.address == reached[0].address
    assert facts.version and facts.api_version and facts.root.startswith("/")
    assert facts.cpus >= 1 and facts.memory > 0 and facts.time > 1.6e9
    assert facts.cgroup in ("1", "2")
    assert "seccomp" in facts.security


def test_files_go_in_and_come_out(
    engine_here: DockerEngine, container: Spec, tmp_path: Path
) -> None:
    (tmp_path / "local").write_bytes(bytes(range(256)) * 4096)
    sandbox = engine_here.launch(
        container(
            TRIALS + "mkdir -p out/deep; cat /pushtrain/source/pkg/a.py >out/deep/a.py;"
            "cp /pushtrain/source/local out/; stat -c '%a %u %g %n' /pushtrain /pushtrain/*"
            " /pushtrain/source/*"
        ),
        iter([OutgoingFile("worker.json", b"{}")]),
    )
    sandbox.put(
        "/pushtrain/source",
        iter(
            [
                OutgoingFile("pkg/a.py", "naïve\n".encode()),
                OutgoingFile("local", local=str(tmp_path / "local"), mode=0o755),
                OutgoingFile("empty/", mode=0o750),
            ]
        ),
    )
    sandbox.start()
    assert [line.decode() for line in sandbox.follow()] == [
        "755 0 0 /pushtrain",
        "755 0 0 /pushtrain/source",
        "700 1000 1000 /pushtrain/trials",
        "644 0 0 /pushtrain/worker.json",
        "750 0 0 /pushtrain/source/empty",
        "755 0 0 /pushtrain/source/local",
        "755 0 0 /pushtrain/source/pkg",
    ]
    found = {name: file.read() for name, file in sandbox.fetch("/pushtrain/trials/out", most=2**22)}
    assert found == {
        "deep/a.py": "naïve\n".encode(),
        "local": (tmp_path / "local").read_bytes(),
    }
    one = [
        (name, file.read()) for name, file in sandbox.fetch("/pushtrain/source/pkg/a.py", most=9)
    ]
    assert one == [("a.py", "naïve\n".encode())]


def test_files_go_into_a_running_container(engine_here: DockerEngine, container: Spec) -> None:
    sandbox = engine_here.launch(container(WAIT + "cat /pushtrain/inbox/3/order"))
    sandbox.start()
    sandbox.put("/pushtrain/inbox", iter([OutgoingFile("3/order", b"train\n")]))
    sandbox.put("/pushtrain", iter(GO))
    assert list(sandbox.follow()) == [b"train"]


@pytest.mark.parametrize("directory", ["/", "/etc", "/pushtrain/../etc", "/pushtrainer", "source"])
def test_files_go_below_the_volume_only(
    engine_here: DockerEngine, container: Spec, directory: str
) -> None:
    sandbox = engine_here.launch(container("true"))
    with pytest.raises(SandboxError, match="below /pushtrain"):
        sandbox.put(directory, iter([OutgoingFile("a", b"")]))


def test_state_tells_how_it_ended(engine_here: DockerEngine, container: Spec) -> None:
    asked = container(
        WAIT + "echo first >&2; echo the cause >&2; exit 7", labels={LABEL_TRIAL: "4"}
    )
    sandbox = engine_here.launch(asked)
    created = sandbox.state()
    assert created is not None
    assert (created.id, created.name) == (sandbox.id, asked.name)
    assert created.labels[LABEL_TRIAL] == "4"
    assert (created.is_running, created.exit_code) == (False, None)
    sandbox.start()
    running = sandbox.state()
    assert running is not None and running.is_running and running.exit_code is None
    sandbox.put("/pushtrain", iter(GO))
    assert list(sandbox.follow()) == []
    ended = sandbox.state()
    assert ended is not None
    assert (ended.is_running, ended.exit_code, ended.oom_killed) == (False, 7, False)
    assert ended.error == "first\nthe cause"
    engine_here.remove(sandbox.id)
    assert sandbox.state() is None


def test_state_tells_of_a_lack_of_memory(engine_here: DockerEngine, container: Spec) -> None:
    sandbox = engine_here.launch(container("exec tail /dev/zero"))
    sandbox.start()
    assert list(sandbox.follow()) == []
    state = sandbox.state()
    assert state is not None and state.oom_killed and state.exit_code == 137


def test_signals_reach_the_worker(engine_here: DockerEngine, container: Spec) -> None:
    script = "trap 'echo asked; exit 0' USR1; echo ready; while :; do sleep 0.05; done"
    sandbox = engine_here.launch(container(script))
    sandbox.signal("SIGUSR1")  # not started: nothing to tell
    sandbox.start()
    lines = sandbox.follow()
    assert next(lines) == b"ready"
    sandbox.signal("SIGUSR1")
    assert list(lines) == [b"asked"]
    sandbox.signal("SIGUSR1")  # has ended
    engine_here.remove(sandbox.id)
    sandbox.signal("SIGUSR1")  # is gone


def test_containers_are_found_by_labels(
    engine_here: DockerEngine, container: Spec, run_id: str
) -> None:
    mine = {"pushtrain.test": "find"}
    two = [
        engine_here.launch(container("true", labels={**mine, LABEL_TRIAL: str(n)})).id
        for n in (1, 2)
    ]
    assert {s.id for s in engine_here.find({LABEL_RUN: run_id, **mine})} == set(two)
    assert {s.id for s in engine_here.find({"pushtrain.test": ""})} == set(two)
    assert [s.id for s in engine_here.find({**mine, LABEL_TRIAL: "2"})] == [two[1]]
    assert list(engine_here.find({**mine, LABEL_TRIAL: "3"})) == []
    for one in two:
        engine_here.remove(one)
    assert list(engine_here.find(mine)) == []


def test_what_is_kept_for_checkpoints_outlives_its_container(
    engine_here: DockerEngine, container: Spec, run_id: str
) -> None:
    name = f"pushtrain-test-{run_id}"
    kept = "cd /pushtrain/checkpoints/trials; "
    for script, said in (
        (kept + "echo one >a; stat -c '%u %a' . ..; mkdir ../no || echo refused", 3),
        (kept + "cat a; ls /pushtrain/trials", 1),
    ):
        sandbox = engine_here.launch(dataclasses.replace(container(script), checkpoints=name))
        sandbox.start()
        lines = list(sandbox.follow())
        assert len(lines) == said, lines
        (volume,) = engine_here.volumes({LABEL_RUN: run_id})
        assert volume.name == name and volume.labels[LABEL_RUN] == run_id
        with pytest.raises(SandboxError):
            engine_here.remove_volume(name)
        engine_here.remove(sandbox.id)
    assert lines == [b"one"]
    engine_here.remove_volume(name)
    engine_here.remove_volume(name)
    assert list(engine_here.volumes({LABEL_RUN: run_id})) == []


def test_what_others_leave_of_a_container_is_found(
    engine_here: DockerEngine, container: Spec, reached: tuple[Connection, str]
) -> None:
    labels = {"pushtrain.test": "others"}
    sandbox = engine_here.launch(container("true", labels=labels))
    assert list(engine_here.volumes(labels)) == [], "this one goes with its container"
    with reached[0].calling("removing") as client:
        client.remove_container(sandbox.id)
    (left,) = engine_here.volumes(labels)
    engine_here.remove_volume(left.name)
    assert list(engine_here.volumes(labels)) == []


def test_removal_gives_grace_and_takes_the_volume(
    engine_here: DockerEngine, container: Spec, reached: tuple[Connection, str]
) -> None:
    script = "trap 'echo stopping; exit 0' TERM; echo ready; while :; do sleep 0.05; done"
    sandbox = engine_here.launch(container(script))
    with reached[0].calling("inspecting") as client:
        (volume,) = client.inspect_container(sandbox.id)["Mounts"]
        assert client.inspect_volume(volume["Name"])["Labels"].keys() >= {LABEL_RUN}
    sandbox.start()
    lines = sandbox.follow()
    assert next(lines) == b"ready"
    engine_here.remove(sandbox.id, grace=20)
    assert list(lines) == [b"stopping"]
    engine_here.remove(sandbox.id)
    with (
        pytest.raises(SandboxError, match="volume"),
        reached[0].calling("inspecting") as client,
    ):
        client.inspect_volume(volume["Name"])


def test_removal_does_not_wait_for_the_deaf(engine_here: DockerEngine, container: Spec) -> None:
    sandbox = engine_here.launch(container("trap '' TERM; echo deaf; while :; do sleep 1; done"))
    sandbox.start()
    lines = sandbox.follow()
    assert next(lines) == b"deaf"
    engine_here.remove(sandbox.id, grace=0.5)
    assert list(lines) == []
    assert sandbox.state() is None


def test_one_engine_serves_many_threads(engine_here: DockerEngine, container: Spec) -> None:
    def live(number: int) -> list[bytes]:
        sandbox = engine_here.launch(container(f"cat /pushtrain/n; seq {number}"))
        sandbox.put("/pushtrain", iter([OutgoingFile("n", b"n\n")]))
        sandbox.start()
        lines = list(sandbox.follow())
        with ThreadPoolExecutor(3) as several:  # who removes first does not matter
            list(several.map(engine_here.remove, [sandbox.id] * 3))
        assert sandbox.state() is None
        return lines

    with ThreadPoolExecutor(4) as pool:
        for number, lines in enumerate(pool.map(live, range(6))):
            assert lines == [b"n", *(str(n).encode() for n in range(1, number + 1))]


# --- following ---------------------------------------------------------------------------------


def test_follow_gives_every_line_from_the_first(engine_here: DockerEngine, container: Spec) -> None:
    sandbox = engine_here.launch(
        container("seq 20000; echo; printf '%100000s\\n' x; printf '%1100000s\\n' y; printf end")
    )
    heard: list[bytes] = []
    started = threading.Event()

    def listen() -> None:
        started.set()
        heard.extend(sandbox.follow())

    listener = threading.Thread(target=listen)
    listener.start()  # before the container starts
    started.wait()
    sandbox.start()
    listener.join()
    long = b" " * 99_999 + b"x"  # longer than a piece of the log; y's line is over 1 MiB
    assert heard == [*(str(n).encode() for n in range(1, 20001)), b"", long, b"end"]
    assert list(sandbox.follow()) == heard, "the log of an ended container is the same"


def test_follow_ends_when_the_container_is_removed(
    engine_here: DockerEngine, container: Spec
) -> None:
    sandbox = engine_here.launch(container("echo on; while :; do sleep 1; done"))
    sandbox.start()
    lines = sandbox.follow()
    assert next(lines) == b"on"
    engine_here.remove(sandbox.id)
    assert list(lines) == []
    assert list(sandbox.follow()) == []


# --- fetching what is hostile ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "cause"),
    [
        ("ln -s /etc/passwd out/x", "symbolic link"),
        ("echo a >out/a; ln out/a out/b", "hard link"),
        ("mkfifo out/x", "a pipe"),
        ("echo a >out/$(printf 'a\\377b')", "not UTF-8"),
        ("echo a >out/$(printf 'a\\033[2Jb')", "not a plain"),
        ("echo a >'out/a\\b'", "not a plain"),
        ("truncate -s 16M out/x", "more than 1000000 bytes in all"),
        ("for i in $(seq 11); do head -c 100000 /dev/zero >out/$i; done", "more than 1000000"),
        ("cd out; seq 10050 | xargs touch", "more than 10000"),
        ("rmdir out; ln -s /bin out", "symbolic link"),
        ("rmdir out", "(?i)could not find|no such"),
    ],
)
def test_fetch_refuses_what_is_no_plain_file(
    engine_here: DockerEngine, container: Spec, script: str, cause: str
) -> None:
    sandbox = engine_here.launch(container(TRIALS + "mkdir out; " + script))
    sandbox.start()
    assert list(sandbox.follow()) == []
    with pytest.raises(SandboxError, match=cause):
        for _, file in sandbox.fetch("/pushtrain/trials/out", most=1_000_000):
            file.read()


# --- refusals ----------------------------------------------------------------------------------


def test_launching_says_what_is_wrong(engine_here: DockerEngine, container: Spec) -> None:
    asked = container("true")
    with pytest.raises(SandboxError, match=r"(?i)no such image.*pushtrain image"):
        engine_here.launch(dataclasses.replace(asked, image="pushtrain/none:1"))
    first = engine_here.launch(asked)
    with pytest.raises(SandboxError, match="already in use"):
        engine_here.launch(asked)
    assert first.state() is not None, "a refused launch leaves the other container alone"
    with pytest.raises(SandboxError, match=r"limits\.cpus"):
        engine_here.launch(container("true", cpus=4096.0))


def test_launching_without_a_file_leaves_nothing(
    engine_here: DockerEngine, container: Spec, tmp_path: Path
) -> None:
    asked = container("true")
    with pytest.raises(SandboxError, match="cannot be put into a container"):
        engine_here.launch(asked, [OutgoingFile("a", local=str(tmp_path / "none"))])
    engine_here.launch(asked)  # its name is free


def test_a_program_that_does_not_exist(engine_here: DockerEngine, container: Spec) -> None:
    sandbox = engine_here.launch(dataclasses.replace(container(""), command=("/bin/none",)))
    with pytest.raises(SandboxError, match="/bin/none"):
        sandbox.start()
    assert list(sandbox.follow()) == []


def test_data_is_mounted_from_the_engines_host(
    engine_here: DockerEngine,
    container: Spec,
    reached: tuple[Connection, str],
    second: SecondEngine,
) -> None:
    is_second = "docker.sock" not in reached[0].address
    # A path means what it means on the engine's host: this one is ours, or the engine's own.
    source = second.data if is_second else second.hidden
    sandbox = engine_here.launch(
        container("ls -a /data; touch /data/x", mounts=[Mount(str(source), "/data")])
    )
    sandbox.start()
    assert list(sandbox.follow()) == [b".", b".."]
    state = sandbox.state()
    assert state is not None and "Read-only file system" in state.error


def test_missing_data_is_named_with_its_host(
    engine_here: DockerEngine, container: Spec, tmp_path: Path, second: SecondEngine
) -> None:
    missing = str(second.hidden / "none")
    with pytest.raises(SettingsError, match=f"none' does not exist on {engine_here.facts().name}"):
        engine_here.launch(container("true", mounts=[Mount(missing, "/data")]))


def test_the_engine_itself_is_never_mounted(engine_here: DockerEngine, container: Spec) -> None:
    facts = engine_here.facts()
    sources = ["/", "/var/run/docker.sock", "/run", "/proc", "/etc", facts.root, "/var"]
    if facts.address.startswith("unix://"):
        sources.append(facts.address.removeprefix("unix://"))
    for source in sources:
        with pytest.raises(SettingsError, match="never mounted"):
            engine_here.launch(container("true", mounts=[Mount(source, "/data")]))


# --- engines that do not answer ----------------------------------------------------------------


def test_an_engine_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    gone = DockerEngine(Connection(f"unix://{tmp_path}/none.sock"))
    for call in (gone.facts, lambda: gone.find({}), lambda: gone.remove("x")):
        with pytest.raises(EngineUnreachable, match="scripts/engine") as caught:
            call()
        assert caught.value.exit_code == 4


def test_a_stranger_with_another_certificate_is_not_believed(
    second: SecondEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "other.pem"))
    assert DockerEngine(over_tls(second)).facts().version, "the engine's own certificate counts"
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).write_bytes((second.certificates / name).read_bytes())
    (tmp_path / "ca.pem").write_bytes((tmp_path / "other.pem").read_bytes())
    other = dataclasses.replace(second, certificates=tmp_path)
    with pytest.raises(EngineUnreachable, match=r"(?i)certificate"):
        DockerEngine(over_tls(other)).facts()
