"""A second Docker Engine of the tests' own, which sees another file system than they do.

It has its own daemon, data directory, mounts and network, so that it leaves the machine's engine
alone: in the machine's own network even `--bridge none` would delete the bridge of the other. It
is reached by TCP with TLS and by SSH.
"""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import trustme

from pushtrain.engine.connection import Connection

_LIMIT = 60.0
"""Seconds for a server to answer."""


@dataclass(frozen=True)
class SecondEngine:
    """Where it listens, and which directory it sees empty, whatever lies there for us."""

    socket: Path
    port: int
    certificates: Path
    hidden: Path
    data: Path
    """A directory of the engine's own, which does not exist for us."""


@contextmanager
def second_engine(home: Path) -> Iterator[SecondEngine]:
    """Starts an engine in `home`; ends it, and all that it ran, on the way out."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        engine = SecondEngine(
            socket=home / "docker.sock",
            port=int(listener.getsockname()[1]),
            certificates=_certificates(home),
            hidden=home / "hidden",
            data=home / "hidden/data",
        )
        engine.hidden.mkdir()
        with _server(_daemon(home, engine), home / "dockerd.log", listener) as process:
            _wait_for(engine.socket.is_socket, process, home)
            yield engine


def _daemon(home: Path, engine: SecondEngine) -> list[str]:
    """The command of an engine with mounts and a network of its own.

    Its TCP socket is opened here, in the machine's network, and handed over as systemd does it
    (LISTEN_FDS); it is file descriptor 3.
    """
    script = (
        f"mount -t tmpfs none {engine.hidden}; mkdir {engine.data}; "
        'export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@"'
    )
    options = [
        *("--host", f"unix://{engine.socket}", "--host", "fd://"),
        *("--data-root", home / "root", "--exec-root", home / "exec", "--pidfile", home / "pid"),
        *("--tlsverify", "--tlscacert", engine.certificates / "ca.pem"),
        *("--tlscert", home / "server.pem", "--tlskey", home / "server.key"),
        *("--bridge", "none", "--iptables=false"),
    ]
    apart = ["unshare", "--mount", "--net", "--propagation", "private", "sh", "-ec", script, "sh"]
    return [*apart, _program("dockerd", "docker.io"), *map(str, options)]


def over_tls(engine: SecondEngine) -> Connection:
    """The way to it that DOCKER_HOST and its certificates name."""
    return Connection.from_environment(
        {
            "DOCKER_HOST": f"tcp://127.0.0.1:{engine.port}",
            "DOCKER_TLS_VERIFY": "1",
            "DOCKER_CERT_PATH": str(engine.certificates),
        }
    )


@contextmanager
def ssh_server(home: Path, engine: SecondEngine) -> Iterator[str]:
    """An SSH server before `engine`; gives the address, with what it needs put into ~/.ssh.

    HOME must be the tests' own.
    """
    port = _free_port()
    for key in (home / "host_key", home / "client_key"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)]
        subprocess.run(command, check=True)
    (home / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {home}/host_key\nPidFile none\n"
        f"AuthorizedKeysFile {home}/client_key.pub\nStrictModes no\nUsePAM no\n"
        f"SetEnv DOCKER_HOST=unix://{engine.socket} PATH={os.environ['PATH']}\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    configuration = Path.home() / ".ssh"
    configuration.mkdir()
    public = (home / "host_key.pub").read_text()
    (configuration / "known_hosts").write_text(f"[127.0.0.1]:{port} {public}")
    (configuration / "config").write_text(
        f"Host engine-host\n  HostName 127.0.0.1\n  Port {port}\n"
        f"  User {getpass.getuser()}\n  IdentityFile {home}/client_key\n"
    )
    _program("docker", "docker-cli")  # what the other side of an SSH connection runs
    command = [_program("sshd", "openssh-server"), "-D", "-e", "-f", str(home / "sshd_config")]
    with _server(command, home / "sshd.log") as process:
        _wait_for(lambda: _listens(port), process, home)
        yield "ssh://engine-host"


def _certificates(home: Path) -> Path:
    """The server's certificate in `home`; the client's, as DOCKER_CERT_PATH, in the result."""
    authority = trustme.CA()
    server = authority.issue_cert("127.0.0.1")
    server.private_key_pem.write_to_path(home / "server.key")
    _write_chain(server, home / "server.pem")
    client = authority.issue_cert("client")
    directory = home / "certificates"
    directory.mkdir()
    client.private_key_pem.write_to_path(directory / "key.pem")
    _write_chain(client, directory / "cert.pem")
    authority.cert_pem.write_to_path(directory / "ca.pem")
    return directory


def _write_chain(certificate: trustme.LeafCert, where: Path) -> None:
    for part in certificate.cert_chain_pems:
        part.write_to_path(where, append=True)


@contextmanager
def _server(
    command: list[str], log: Path, listener: socket.socket | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a server until the block ends, with `listener` as its file descriptor 3."""
    if listener is not None:
        handed = f'exec 3<&{listener.fileno()}; exec "$@"'
        command = ["bash", "-c", handed, "bash", *command]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            pass_fds=[listener.fileno()] if listener is not None else [],
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(condition, process: subprocess.Popen[bytes], home: Path) -> None:
    until = time.monotonic() + _LIMIT
    while not condition():
        if process.poll() is not None or time.monotonic() > until:
            logs = "\n".join(log.read_text(errors="replace")[-3000:] for log in home.glob("*.log"))
            raise RuntimeError(f"{process.args} does not answer:\n{logs}")
        time.sleep(0.05)


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _program(name: str, package: str) -> str:
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if found is None:
        raise RuntimeError(f"these tests need {name}: apt-get install {package}")
    return found
