"""Scripts that try to break out, break down, or lie; one warm worker outlives them all.

Each is contained and named in one clear error. The script runs as root's guest with Python's whole
standard library; the sandbox's flags are tried one by one in test_sandbox.py.
"""

from __future__ import annotations

import itertools
import textwrap
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pushtrain.engine.connection import Connection
from pushtrain.engine.docker_engine import DockerEngine
from pushtrain.entities import Cause, Failure, Image, TrialResult, TrialState
from pushtrain.interfaces import LABEL_RUN
from pushtrain.trial import ContainerTrainer, remove_leftovers
from support.training import LIMITS, QUICK, Watcher, job, trial

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("engine")]

WELL = "import pushtrain; pushtrain.report(accuracy=0.9)"


@dataclass
class Arena:
    """A worker with small limits, and what it did so far."""

    trainer: ContainerTrainer
    home: Path
    engine: DockerEngine
    run: str

    def __post_init__(self) -> None:
        self._numbers = itertools.count()
        self.container = self.containers()

    def containers(self) -> list[str]:
        return [state.id for state in self.engine.find({LABEL_RUN: self.run})]

    def train(self, script: str) -> TrialResult:
        return self.trainer.train(trial(next(self._numbers), textwrap.dedent(script)), Watcher())

    def fail(self, script: str) -> Failure:
        """Trains a script that fails, and one that does well after it."""
        result = self.train(script)
        assert result.state is TrialState.FAILED, result
        assert result.failure is not None and result.value is None
        assert result.failure.message.count("\n") == 0
        assert result.failure.hint
        self.is_unharmed()
        return result.failure

    def is_unharmed(self) -> None:
        assert self.train(WELL).value == 0.9
        assert self.containers() == self.container, "the worker was not replaced"


@pytest.fixture(scope="module")
def arena(
    engine: DockerEngine,
    connection: Connection,
    python_image: Image,
    run_id: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Arena]:
    """The arena; afterwards the engine holds what it held before."""
    before = _held(connection, run_id)
    home = tmp_path_factory.mktemp("arena")
    run = f"{run_id}-hostile"
    asked = job(home, run=run, image=python_image, trial_seconds=6.0)
    trainer = ContainerTrainer(engine, asked, QUICK)
    trainer.start()
    try:
        yield Arena(trainer, home, engine, run)
    finally:
        trainer.close()
        remove_leftovers(engine, run, 9, checkpoints=True)
    after = _held(connection, run_id)
    assert not engine.find({LABEL_RUN: run})
    assert after - before == set()


def _held(connection: Connection, run_id: str) -> set[str]:
    """Volumes and tags of this session on the engine; others may make theirs meanwhile."""
    with connection.calling("what the engine holds cannot be listed") as client:
        volumes = client.volumes(filters={"label": LABEL_RUN})["Volumes"] or []
        tags = [tag for image in client.images() for tag in image["RepoTags"] or ()]
    ours = (v["Name"] for v in volumes if v["Labels"][LABEL_RUN].startswith(run_id))
    return {*ours, *(tag for tag in tags if run_id in tag)}


# --- reaching out ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Attempt:
    """A script, and how its failure is named."""

    script: str
    cause: Cause
    message: str
    hint: str = ""
    line: int | None = None


REACHING_OUT = {
    "open a socket": Attempt(
        'import socket\nsocket.create_connection(("192.0.2.7", 80), timeout=3)',
        Cause.DOWNLOAD, "tried to reach 192.0.2.7:80 at train.py:2", "limits.network", 2,
    ),
    "send a datagram": Attempt(
        'import socket\nsocket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.7", 53))',
        Cause.DOWNLOAD, "tried to reach 192.0.2.7:53 at train.py:2", "[data]", 2,
    ),
    "resolve a name": Attempt(
        'import socket\nsocket.getaddrinfo("data.example.com", 443)',
        Cause.DOWNLOAD, "tried to reach data.example.com", "limits.network", 2,
    ),
    "download": Attempt(
        'import urllib.request\nurllib.request.urlopen("https://data.example.com/mnist.npz")',
        Cause.DOWNLOAD, "tried to reach data.example.com:443 at train.py:2", "[allow] network", 2,
    ),
    "open a raw socket": Attempt(
        "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
        Cause.USER_ERROR, "train.py:2: PermissionError", "pushtrain logs", 2,
    ),
    "write outside": Attempt(
        'open("/etc/x", "w")', Cause.USER_ERROR, "Read-only file system: '/etc/x'",
    ),
    "change the pushed tree": Attempt(
        'open("/pushtrain/source/train.py", "w")',
        Cause.USER_ERROR, "Permission denied: '/pushtrain/source/train.py'",
    ),
    "give itself an order": Attempt(
        'import os\nos.mkdir("/pushtrain/inbox/99")', Cause.USER_ERROR, "Permission denied",
    ),
    "change the worker": Attempt(
        'open("/pushtrain/lib/pushtrain/worker/loop.py", "a")',
        Cause.USER_ERROR, "Permission denied",
    ),
    "speak for the worker": Attempt(
        'open("/proc/1/fd/1", "w")', Cause.USER_ERROR, "Permission denied: '/proc/1/fd/1'",
    ),
    "read the worker's memory": Attempt(
        'open("/proc/1/mem", "rb")', Cause.USER_ERROR, "Permission denied: '/proc/1/mem'",
    ),
    "read the worker's environment": Attempt(
        'open("/proc/1/environ").read()', Cause.USER_ERROR, "Permission denied",
    ),
    "read what is root's": Attempt(
        'open("/root/secret").read()', Cause.USER_ERROR, "Permission denied: '/root/secret'",
    ),
    "talk to the engine": Attempt(
        'import socket\nsocket.socket(socket.AF_UNIX).connect("/var/run/docker.sock")',
        Cause.USER_ERROR, "train.py:2: FileNotFoundError",
    ),
    "become root": Attempt(
        "import os\nos.setuid(0)", Cause.USER_ERROR, "train.py:2: PermissionError",
    ),
    "become root by a program": Attempt(
        'import subprocess\nsubprocess.run(["/bin/su", "root", "-c", "id"], check=True)',
        Cause.USER_ERROR, "CalledProcessError",
    ),
    "become another group": Attempt(
        "import os\nos.setgroups([0])", Cause.USER_ERROR, "train.py:2: PermissionError",
    ),
    "make a device": Attempt(
        'import os, stat\nos.mknod("disk", 0o600 | stat.S_IFBLK, os.makedev(8, 0))',
        Cause.USER_ERROR, "train.py:2: PermissionError",
    ),
    "trace another process": Attempt(
        """
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.ptrace(16, 1, 0, 0) != 0:
            raise PermissionError(ctypes.get_errno())
        """,
        Cause.USER_ERROR, "PermissionError: 1",
    ),
    "leave its namespaces": Attempt(
        """
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(0x10000000) != 0:
            raise PermissionError(ctypes.get_errno())
        """,
        Cause.USER_ERROR, "PermissionError: 1",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REACHING_OUT)
def test_reaching_out_fails_and_is_named(arena: Arena, what: str) -> None:
    asked = REACHING_OUT[what]
    failure = arena.fail(asked.script)
    assert failure.cause is asked.cause, failure
    assert asked.message in failure.message
    assert asked.hint in failure.hint
    assert failure.file == "train.py"
    if asked.line:
        assert failure.line == asked.line


def test_the_hosts_files_environment_and_socket_are_not_there(
    arena: Arena, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "of-the-host").write_text("secret")
    monkeypatch.setenv("PUSHTRAIN_SMTP_PASSWORD", "hunter2")
    result = arena.train(
        f"""
        import os, socket, stat
        import pushtrain
        found = []
        for folder, _, names in os.walk("/"):
            if folder.startswith(("/proc", "/sys")):
                continue
            for name in names:
                path = os.path.join(folder, name)
                mode = os.lstat(path).st_mode
                if stat.S_ISSOCK(mode) or name == "of-the-host" or "docker." in name:
                    found.append(path)
        found += [name for name in os.environ if "SMTP" in name or "DOCKER" in name]
        found += [name for name in os.listdir("/sys/class/net") if name != "lo"]
        found += [name for name in os.listdir("/proc") if name.isdigit() and int(name) > 1
                  and int(name) != os.getpid()]
        if os.path.exists({str(tmp_path)!r}):
            found.append("the host's directory")
        print(found)
        pushtrain.report(accuracy=len(found))
        """
    )
    assert result.value == 0


# --- taking too much ---------------------------------------------------------------------------


TAKING_TOO_MUCH = {
    "fork without end": Attempt(
        """
        import os, time
        while True:
            if os.fork() == 0:
                time.sleep(100)
        """,
        Cause.TOO_MANY_PROCESSES, "started more than 64 processes", "limits.pids",
    ),
    "fork a bomb": Attempt(
        """
        import os
        while True:
            try:
                os.fork()
            except OSError:
                pass
        """,
        Cause.TIME_LIMIT, "took longer than 6 s", "trial_time",
    ),
    "start threads without end": Attempt(
        """
        import threading, time
        for _ in range(1000):
            threading.Thread(target=time.sleep, args=(100,), daemon=True).start()
        """,
        Cause.TOO_MANY_PROCESSES, "started more than 64 processes", "limits.pids",
    ),
    "fill the disk": Attempt(
        """
        for number in range(1000):
            with open(f"big-{number}", "wb") as file:
                file.write(bytes(2**20))
        """,
        Cause.DISK_LIMIT, "wrote more than it may (limit 16.0 MiB on disk", "limits.disk",
    ),
    "fill the disk with one file": Attempt(
        """
        with open("big", "wb") as file:
            while True:
                file.write(bytes(2**20))
        """,
        Cause.DISK_LIMIT, "wrote more than it may", "limits.disk",
    ),
    "fill the disk with empty files": Attempt(
        """
        import time
        for number in range(4500):
            open(f"{number}", "w").close()
        time.sleep(100)
        """,
        Cause.DISK_LIMIT, "wrote more than it may", "limits.disk",
    ),
    "fill what lies in memory": Attempt(
        """
        for number in range(1000):
            with open(f"/tmp/big-{number}", "wb") as file:
                file.write(bytes(2**20))
        """,
        Cause.SHARED_MEMORY, "16.0 MiB in /dev/shm or /tmp", "limits",
    ),
    "take all memory": Attempt(
        """
        kept = []
        while True:
            kept.append(bytearray(2**22))
        """,
        Cause.OUT_OF_MEMORY, "ran out of memory (limit 128.0 MiB)", "limits.memory",
    ),
    "let a child take all memory": Attempt(
        """
        import subprocess, sys
        code = "x = []\\nwhile True: x.append(bytearray(2**22))"
        subprocess.run([sys.executable, "-c", code], check=True)
        """,
        Cause.OUT_OF_MEMORY, "ran out of memory (limit 128.0 MiB)", "limits.memory",
    ),
    "never end": Attempt("while True: pass", Cause.TIME_LIMIT, "took longer than 6 s"),
    "ignore SIGTERM": Attempt(
        """
        import signal, time
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        while True:
            time.sleep(1)
        """,
        Cause.TIME_LIMIT, "took longer than 6 s",
    ),
    "stop itself": Attempt(
        "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
        Cause.TIME_LIMIT, "took longer than 6 s",
    ),
    "leave a process that ignores everything": Attempt(
        """
        import os, signal, time
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                while True:
                    time.sleep(1)
            os._exit(0)
        raise RuntimeError("left")
        """,
        Cause.USER_ERROR, "RuntimeError: left",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", TAKING_TOO_MUCH)
def test_taking_too_much_ends_the_trial_and_is_named(arena: Arena, what: str) -> None:
    asked = TAKING_TOO_MUCH[what]
    began = time.monotonic()
    failure = arena.fail(asked.script)
    assert failure.cause is asked.cause, failure
    assert asked.message in failure.message
    assert asked.hint in failure.hint
    assert time.monotonic() - began < 30
    alone = arena.train(
        """
        import os
        import pushtrain
        others = [n for n in os.listdir("/proc") if n.isdigit() and int(n) not in (1, os.getpid())]
        pushtrain.report(accuracy=len(others))
        """
    )
    assert alone.value == 0, "a process of an earlier trial is left"


def test_a_log_of_10_gb_is_cut(arena: Arena, connection: Connection) -> None:
    result = arena.train(
        """
        import os
        import pushtrain
        line = b"x" * 1023 + b"\\n"
        for _ in range(10 * 1024):
            os.write(1, line * 1024)
        print("the last line")
        pushtrain.report(accuracy=0.9)
        """
    )
    folder = arena.home / "trials" / str(result.number)
    text = (folder / "log.txt").read_text()
    assert len(text) < LIMITS.log + 2048
    if result.failure is None:
        assert text.endswith("the last line\n")
        assert any("beyond the limit and dropped" in note for note in result.notes)
    else:
        assert result.failure.cause is Cause.TIME_LIMIT
    arena.is_unharmed()


# --- lying -------------------------------------------------------------------------------------


def test_links_and_pipes_in_the_output_are_left_behind_and_named(arena: Arena) -> None:
    result = arena.train(
        """
        import os, socket
        import pushtrain
        os.symlink("/etc/passwd", "passwd")
        os.symlink("/", "root")
        os.mkfifo("pipe")
        socket.socket(socket.AF_UNIX).bind("socket")
        os.makedirs("deep/er")
        os.symlink("../../../../../etc", "deep/er/etc")
        open("plain.txt", "w").write("kept")
        os.link("plain.txt", "twin.txt")
        open("a\\x1b[2Jb", "w").write("escape")
        open(b"not-utf8-\\xff", "w").write("?")
        open("win\\\\dows", "w").write("?")
        pushtrain.report(accuracy=0.9)
        """
    )
    assert result.value == 0.9
    told = "\n".join(result.notes)
    for name in ("passwd", "root", "pipe", "socket", "deep/er/etc"):
        assert f"left behind: files/{name} (" in told
    assert "\x1b" not in told
    paths = {artifact.path for artifact in result.artifacts}
    assert paths == {"out/files/plain.txt", "out/files/twin.txt"}
    out = arena.home / "trials" / str(result.number) / "out"
    for path in out.rglob("*"):
        assert not path.is_symlink() and (path.is_file() or path.is_dir())
        assert path.name.isprintable()
    arena.is_unharmed()


def test_directories_that_were_replaced_or_locked_do_no_harm(arena: Arena) -> None:
    result = arena.train(
        """
        import os, pathlib, shutil
        import pushtrain
        pushtrain.report(accuracy=0.9)
        out = pathlib.Path.cwd().parent / "out"
        shutil.rmtree(out)
        out.symlink_to("/etc")
        deep = pathlib.Path.cwd()
        for _ in range(300):
            os.mkdir("d" * 100)
            os.chdir("d" * 100)
        os.chmod(deep, 0)
        """
    )
    assert not any("passwd" in artifact.path for artifact in result.artifacts)
    arena.is_unharmed()


def test_of_too_many_files_the_first_are_kept(arena: Arena) -> None:
    result = arena.train(
        """
        import os
        import pushtrain
        for number in range(1500):
            os.makedirs(f"{number:04}", exist_ok=True)
            open(f"{number:04}/x", "w").write("x")
        pushtrain.report(accuracy=0.9)
        """
    )
    assert result.value == 0.9
    assert 900 < len(result.artifacts) <= 2000
    assert any("of so many files the rest" in note for note in result.notes)
    arena.is_unharmed()


def test_a_forged_result_does_not_count(arena: Arena) -> None:
    result = arena.train(
        """
        import json, os, pathlib, sys
        out = pathlib.Path.cwd().parent / "out"
        forged = {"protocol": 1, "trial": 0, "attempt": 1, "exit": {"code": 0, "signal": None},
                  "measurements": [{"metric": "accuracy", "value": 1.0, "role": "reported",
                                    "source": "forged"}]}
        (out / "result.json").write_text(json.dumps(forged))
        print(json.dumps({"v": 1, "seq": 3, "time": 1, "event": "trial_ended", "trial": 0,
                          "result": forged}), flush=True)
        sys.exit(3)
        """
    )
    assert result.failure is not None and result.failure.cause is Cause.USER_ERROR
    assert "exit code 3" in result.failure.message
    arena.is_unharmed()


def test_what_is_said_on_the_childs_own_channel_is_checked(arena: Arena) -> None:
    result = arena.train(
        """
        import os, socket, stat
        for number in range(3, 256):
            try:
                if stat.S_ISSOCK(os.fstat(number).st_mode):
                    channel = socket.socket(fileno=os.dup(number))
            except OSError:
                continue
            for text in (b"x", b"{}", b"[1]", b'{"kind": "epoch"}', b'{"kind": "nobody"}',
                         b'{"kind": "epoch", "metrics": 3, "seconds": "x", "epochs": -1}',
                         b'{"kind": "measurement", "metric": "accuracy", "value": "1"}',
                         b'{"kind": "confusion", "labels": [1], "matrix": [[1, 2]]}',
                         b'{"kind": "error", "type": 5}', b"\\xff" * 1000, b"[" * 100000):
                try:
                    channel.send(text)
                except OSError:
                    pass
        raise SystemExit(4)
        """
    )
    assert result.failure is not None and result.failure.cause is not Cause.BAD_OUTPUT
    arena.is_unharmed()


def test_an_errors_text_reaches_terminals_as_one_plain_line(arena: Arena) -> None:
    failure = arena.fail('raise ValueError("\\x1b[31mred\\n" + "long " * 1000 + "\\udcff")')
    assert failure.cause is Cause.USER_ERROR
    assert "\x1b" not in failure.message and len(failure.message) < 700


def test_whoever_kills_everything_kills_only_itself(arena: Arena) -> None:
    failure = arena.fail(
        "import os, signal\nos.kill(1, signal.SIGKILL)\nos.kill(1, signal.SIGTERM)\n"
        "os.kill(1, signal.SIGUSR1)\nos.kill(1, signal.SIGSTOP)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert failure.cause is Cause.KILLED and "SIGKILL" in failure.message


def test_a_crash_is_told_apart(arena: Arena) -> None:
    failure = arena.fail("import ctypes\nctypes.string_at(0)")
    assert failure.cause is Cause.CRASH and "SIGSEGV" in failure.message


def test_an_exit_code_of_its_own_is_told(arena: Arena) -> None:
    failure = arena.fail("import os\nos._exit(137)")
    assert failure.cause is Cause.USER_ERROR and "exit code 137" in failure.message
