"""A second Docker Engine of the tests' own, which sees another file system than they do.

It has its own daemon, data directory, mounts and network, so that it leaves the machine's engine
alone: in the machine's own network even `--bridge none` would delete the bridge of the other. It
is reached by its socket, by TCP with TLS and by SSH, and it can be killed and started again.
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
from http.client import HTTPConnection, HTTPException
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
    daemon: Daemon

    @property
    def connection(self) -> Connection:
        """The way to it by its socket."""
        return Connection(f"unix://{self.socket}")


class Daemon:
    """The process of an engine, which may end at any time.

    Args:
        command: what starts it, with the TCP socket as file descriptor 3.
        socket: where it answers.
        home: where its log goes.
        listener: its TCP socket.
    """

    def __init__(
        self, command: list[str], socket: Path, home: Path, listener: socket.socket
    ) -> None:
        self._command = command
        self._socket = socket
        self._home = home
        self._listener = listener
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        self._socket.unlink(missing_ok=True)  # of one that was killed
        process = _started(self._command, self._home / "dockerd.log", self._listener)
        self._process = process
        _wait_for(lambda: _answers(self._socket), process, self._home)

    def kill(self) -> None:
        """Kills it with SIGKILL; what it ran goes on running, as after any crash of an engine."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Ends it with all that it runs."""
        assert self._process is not None
        if self._process.poll() is not None:
            self.start()  # what a killed one left can only be ended by another
        _end(self._process)


@contextmanager
def second_engine(home: Path) -> Iterator[SecondEngine]:
    """Starts an engine in `home`; ends it, and all that it ran, on the way out."""
    hidden = home / "hidden"
    hidden.mkdir()
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        _apart(hidden) as inside,
        _containerd(home, inside) as runtime,
    ):
        certificates = _certificates(home)
        address = home / "docker.sock"
        command = [*inside, *_daemon(home, runtime, address, certificates)]
        engine = SecondEngine(
            socket=address,
            port=int(listener.getsockname()[1]),
            certificates=certificates,
            hidden=hidden,
            data=hidden / "data",
            daemon=Daemon(command, address, home, listener),
        )
        engine.daemon.start()
        try:
            yield engine
        finally:
            engine.daemon.stop()


@contextmanager
def _apart(hidden: Path) -> Iterator[list[str]]:
    """Mounts and a network of an engine's own, which outlive it: what runs containers outlives a
    killed engine, and the next one must see what it sees.

    Gives the beginning of a command in them.
    """
    script = f"mount -t tmpfs none {hidden}; mkdir {hidden}/data; echo ready; exec sleep infinity"
    apart = ["unshare", "--mount", "--net", "--propagation", "private", "sh", "-ec", script]
    with subprocess.Popen(apart, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as keeper:
        try:
            assert keeper.stdout is not None
            assert keeper.stdout.readline() == b"ready\n", "no mounts of its own: is this root?"
            yield ["nsenter", "--target", str(keeper.pid), "--mount", "--net"]
        finally:
            keeper.kill()


@contextmanager
def _containerd(home: Path, inside: list[str]) -> Iterator[Path]:
    """What runs an engine's containers, also while it is away; gives its address."""
    address = home / "containerd.sock"
    configuration = home / "containerd.toml"
    configuration.write_text('version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n')
    options = [
        *("--config", configuration, "--address", address),
        *("--root", home / "containerd", "--state", home / "running"),
    ]
    program = _program("containerd", "containerd")
    with _server([*inside, program, *map(str, options)], home / "containerd.log") as process:
        _wait_for(address.is_socket, process, home)
        yield address


def _daemon(home: Path, runtime: Path, address: Path, certificates: Path) -> list[str]:
    """The command of an engine.

    Its TCP socket is opened here, in the machine's network, and handed over as systemd does it
    (LISTEN_FDS).
    """
    options = [
        *("--host", f"unix://{address}", "--host", "fd://", "--containerd", runtime),
        *("--data-root", home / "root", "--exec-root", home / "exec", "--pidfile", home / "pid"),
        *("--tlsverify", "--tlscacert", certificates / "ca.pem"),
        *("--tlscert", home / "server.pem", "--tlskey", home / "server.key"),
        *("--bridge", "none", "--iptables=false"),
    ]
    handed = 'export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@"'
    return ["sh", "-c", handed, "sh", _program("dockerd", "docker.io"), *map(str, options)]


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
def _server(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a server until the block ends."""
    process = _started(command, log)
    try:
        yield process
    finally:
        _end(process)


def _started(
    command: list[str], log: Path, listener: socket.socket | None = None
) -> subprocess.Popen[bytes]:
    """Starts a server, with `listener` as its file descriptor 3."""
    if listener is not None:
        handed = f'exec 3<&{listener.fileno()}; exec "$@"'
        command = ["bash", "-c", handed, "bash", *command]
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            pass_fds=[listener.fileno()] if listener is not None else [],
        )


def _end(process: subprocess.Popen[bytes]) -> None:
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


def _answers(address: Path) -> bool:
    """Whether an engine takes calls: its socket is there long before it does."""
    connection = HTTPConnection("localhost")
    with suppress(OSError, HTTPException), socket.socket(socket.AF_UNIX) as connection.sock:
        connection.sock.settimeout(_LIMIT)
        connection.sock.connect(str(address))
        connection.request("GET", "/_ping")
        return connection.getresponse().status == 200
    return False


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
