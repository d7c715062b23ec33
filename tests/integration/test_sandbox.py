"""The sandbox, tried from inside: what a script could reach without it, it does not reach in it.

Each escape runs twice: in a container without the protections, where it must succeed (else the
test would prove nothing), and in a hardened one, where it must not.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pushtrain.engine import hardening
from pushtrain.engine.connection import Connection
from pushtrain.engine.docker_engine import DockerEngine
from pushtrain.errors import SandboxError
from pushtrain.interfaces import LABEL_RUN, Mount, SandboxSpec, SandboxState

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("engine")]

Spec = Callable[..., SandboxSpec]
Run = Callable[..., tuple[list[str], SandboxState]]

MIB = 1024**2
REACHED = " && echo REACHED"


@pytest.fixture
def run(engine: DockerEngine, spec: Spec) -> Run:
    """Runs a script in a hardened container; gives what it printed, and how it ended."""

    def launch(script: str, **wishes: object) -> tuple[list[str], SandboxState]:
        sandbox = engine.launch(spec(script, **wishes))
        sandbox.start()
        lines = [line.decode() for line in sandbox.follow()]
        state = sandbox.state()
        assert state is not None
        engine.remove(sandbox.id)
        return lines, state

    return launch


@pytest.fixture
def run_unprotected(connection: Connection, busybox: str, run_id: str) -> Callable[..., str]:
    """Runs a script with all that the sandbox takes away, as root unless another is named."""

    def launch(script: str, user: str = "0") -> str:
        with connection.calling("the container cannot be run") as client:
            # Not "privileged": a machine that is itself a container may lack a capability of it.
            host_config = client.create_host_config(
                cap_add=["SYS_ADMIN", "SYS_NICE"],
                security_opt=["seccomp=unconfined", "apparmor=unconfined"],
                network_mode="host",
                pid_mode="host",
                binds=["/var/run:/host"],
                ulimits=[{"Name": "core", "Soft": 0, "Hard": -1}],
            )
            made = client.create_container(
                busybox,
                ["/bin/sh", "-c", script],
                user=user,
                environment={"PATH": "/bin"},
                labels={LABEL_RUN: run_id},
                volumes=["/pushtrain/trials"],
                host_config={**host_config, "MaskedPaths": [], "ReadonlyPaths": []},
            )
            client.start(made)
            client.wait(made)
            text: str = client.logs(made).decode()
            client.remove_container(made, v=True, force=True)
        return text

    return launch


@pytest.fixture
def listener() -> Iterator[int]:
    """A TCP server on the host's loopback; gives its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=lambda: [server.accept() for _ in range(1)], daemon=True)
        thread.start()
        yield int(server.getsockname()[1])


ESCAPES = {
    "write a program": "echo x >/bin/x",
    "write a setting": "echo x >/etc/x",
    "write a shared directory": "echo x >/var/tmp/x",
    "write another's order": "mkdir /pushtrain/inbox",
    "read what is root's": "cat /root/secret",
    "make a device": "mknod /tmp/x b 8 0",
    "mount": "mount -t tmpfs none /bin",
    "remount the root": "mount -o remount,rw /",
    "become another user": "nsenter -S 7 true",
    "give a file away": "touch /tmp/x && chown 7:7 /tmp/x",
    "change the root": "chroot / true",
    "leave the namespaces": "unshare -m true",
    "rename the host": "hostname $(hostname)",
    "take priority": "renice -n -5 -p $$",
    "tune the kernel": "cat /proc/sys/vm/swappiness >/proc/sys/vm/swappiness",
    "keep a core": "ulimit -c unlimited",
    "see the host's processes": "ps -o comm | grep -q dockerd",
    "see a network": "ls /sys/class/net | grep -qv ^lo$",
    "find the engine": "find / -name docker.sock 2>/dev/null | grep -q .",
    "run what it wrote to /tmp": "cp /bin/busybox /tmp/true && /tmp/true",
}


@pytest.mark.parametrize("what", ESCAPES)
def test_escapes_fail(what: str, run: Run, run_unprotected: Callable[..., str]) -> None:
    script = ESCAPES[what] + REACHED
    assert "REACHED" in run_unprotected("mkdir -p /tmp; " + script)
    lines, _ = run(script)
    assert "REACHED" not in lines


def test_a_setuid_program_gives_nothing(run: Run, run_unprotected: Callable[..., str]) -> None:
    script = "/bin/su root -c 'id -u'"
    assert "0" in run_unprotected(script, user="1000:1000").split()
    lines, state = run(script)
    assert "0" not in lines
    assert state.exit_code != 0


def test_the_hosts_loopback_is_out_of_reach(
    run: Run, run_unprotected: Callable[..., str], listener: int
) -> None:
    script = f"nc -w 5 127.0.0.1 {listener} </dev/null" + REACHED
    assert "REACHED" in run_unprotected(script)
    assert run(script)[0] == []
    assert run("nslookup localhost.example || echo unresolved")[0][-1] == "unresolved"


def test_only_these_directories_can_be_written(run: Run) -> None:
    script = (
        "find / -type d -not -path '/proc/*' -not -path '/sys/*' 2>/dev/null | while read d; do"
        ' touch "$d/probe" 2>/dev/null && echo "$d"; done'
    )
    lines, _ = run(script)
    assert sorted(lines) == ["/dev/mqueue", "/dev/shm", "/pushtrain/trials", "/tmp"]


def test_the_kernel_holds_the_process(run: Run) -> None:
    status = dict(line.split(":\t", 1) for line in run("cat /proc/self/status")[0] if ":\t" in line)
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[kind], 16) == 0, kind
    assert set(status["Uid"].split()) == set(status["Gid"].split()) == {"1000"}


def test_the_environment_holds_what_was_given_and_nothing_of_ours(
    run: Run, engine: DockerEngine, spec: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The docker command hands the proxies of its configuration, with their passwords, on.
    proxies = {"default": {"httpProxy": "http://user:secret@proxy.example:3128"}}
    (tmp_path / "config.json").write_text(json.dumps({"proxies": proxies}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("PUSHTRAIN_SMTP_PASSWORD", "secret")
    anew = DockerEngine(Connection(engine.facts().address))
    sandbox = anew.launch(spec("cat /proc/1/environ | tr '\\0' '\\n'", environment={"K": "v =1"}))
    sandbox.start()
    found = sorted(line.decode() for line in sandbox.follow())
    assert [line for line in found if not line.startswith("PATH=")] == [
        "HOME=/",
        "HOSTNAME=trainer",
        "K=v =1",
    ]


def test_forks_have_an_end(run: Run) -> None:
    script = "i=0; while [ $i -lt 200 ]; do sleep 60 & i=$((i+1)); echo $i; done"
    lines, state = run(script, pids=20)
    assert len(lines) < 20
    assert "fork" in state.error and state.exit_code != 0


def test_one_file_has_a_largest_size(run: Run) -> None:
    lines, _ = run("cd /pushtrain/trials; head -c 20000000 /dev/zero >x; stat -c %s x", disk=MIB)
    assert lines == [str(MIB)]


@pytest.mark.parametrize("place", ["/tmp", "/dev/shm"])
def test_what_lies_in_memory_has_a_largest_size(run: Run, place: str) -> None:
    lines, state = run(f"head -c 9000000 /dev/zero >{place}/x; stat -c %s {place}/x", shm=8 * MIB)
    assert lines == [str(8 * MIB)]
    assert "No space left" in state.error or state.exit_code == 0


def test_a_container_that_takes_all_memory_ends_alone(run: Run, engine: DockerEngine) -> None:
    _, state = run("exec tail /dev/zero", memory=16 * MIB)
    assert state.oom_killed
    assert run("echo well")[0] == ["well"]


def test_an_endless_log_ends_the_container(
    engine: DockerEngine, spec: Spec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardening, "_LOG_KEPT", 4 * MIB)
    sandbox = engine.launch(spec("exec yes"))
    sandbox.start()
    with pytest.raises(SandboxError, match="printed more than 2 MiB"):
        for line in sandbox.follow():
            assert line == b"y"
    engine.remove(sandbox.id)
    assert sandbox.state() is None


def test_the_engine_took_every_protection_that_was_asked_for(
    engine: DockerEngine, spec: Spec, connection: Connection, tmp_path: Path
) -> None:
    asked = spec("true", mounts=[Mount(str(tmp_path), "/data")])
    body = hardening.container(asked)
    sandbox = engine.launch(asked)
    with connection.calling("inspecting") as client:
        inspected = client.inspect_container(sandbox.id)
    for name, value in body["HostConfig"].items():
        taken = inspected["HostConfig"][name]
        assert taken.items() >= value.items() if isinstance(value, dict) else taken == value, name
    for name, value in body.items():
        if name not in ("HostConfig", "Cmd", "Env"):
            assert inspected["Config"][name] == value, name
    assert inspected["HostConfig"]["Binds"] is None
    assert not inspected["HostConfig"]["CapAdd"] and not inspected["HostConfig"]["Devices"]


def test_a_network_is_one_explicit_setting(spec: Spec) -> None:
    def mode(made: SandboxSpec) -> str:
        return str(hardening.container(made)["HostConfig"]["NetworkMode"])

    assert (mode(spec("true")), mode(spec("true", network=True))) == ("none", "bridge")


def test_other_containers_and_volumes_are_out_of_sight(run: Run, engine: DockerEngine) -> None:
    lines, _ = run("ls /pushtrain /pushtrain/trials; ps -o pid,args | grep -c .")
    assert lines[:2] == ["/pushtrain:", "trials"]
    assert os.getpid() != 1
