"""One run and everyone it needs: a driver, a monitor that is started again whenever it ends, an
engine, a mail server; and a diary of what was done to them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from chaos import processes
from chaos.program import Program
from chaos.progress import Progress
from pushtrain.engine.connection import Connection
from pushtrain.interfaces import LABEL_CHECKPOINTS, LABEL_RUN
from pushtrain.settings import load_repository
from support.engines import Daemon
from support.leftovers import clear
from support.mailservers import Inbox, mail_server

_ROOT = Path(__file__).parents[2]
PUSHTRAIN = str(_ROOT / ".venv/bin/pushtrain")
_PATIENCE = 180.0
_LOOK = 0.01
_STARTERS = ("unshare", "setsid")
"""What runs a driver's command, and is no driver."""

_T = TypeVar("_T")


class Stuck(AssertionError):
    """Something that must happen does not."""


@dataclass(frozen=True, slots=True)
class Training:
    """A trial under way: its container, the worker in it and the worker's child, as processes."""

    container: str
    worker: int
    child: int


class Stage:
    """A run while it goes on.

    Args:
        folder: everything of it lies here.
        program: what is trained.
        connection: the engine's address, for the run and for whoever disturbs it.
        daemon: the engine's process, where it is the tests' own.
        inbox: where its mails arrive.
        port: of the mail server.
    """

    def __init__(
        self,
        folder: Path,
        program: Program,
        connection: Connection,
        daemon: Daemon | None,
        inbox: Inbox,
        port: int,
    ) -> None:
        self.folder, self.program, self.daemon, self.inbox = folder, program, daemon, inbox
        self.home, self.tmp = folder / "home", folder / "tmp"
        self.home.mkdir()
        self.tmp.mkdir()
        (self.home / "config.toml").write_text(
            f'[mail]\nhost = "127.0.0.1"\nport = {port}\nsecurity = "none"\n'
            'to = ["team@localhost"]\n'
        )
        self.connection = connection
        self.progress = Progress(self.home)
        self.diary: list[tuple[float, str]] = []
        self._source = program.put(folder)
        self._began: list[subprocess.Popen[bytes]] = []
        self._monitor: subprocess.Popen[bytes] | None = None
        self._ends = False

    @property
    def environment(self) -> Mapping[str, str]:
        """What every process of the run gets."""
        own = {
            "PUSHTRAIN_HOME": str(self.home),
            "DOCKER_HOST": self.connection.address,
            "TMPDIR": str(self.tmp),
            "GIT_CONFIG_GLOBAL": os.devnull,
        }
        return {**os.environ, **own}

    # --- what goes on --------------------------------------------------------------------------

    def begin(self, before: tuple[str, ...] = (), options: tuple[str, ...] = ()) -> None:
        """Starts monitor and driver.

        Args:
            before: a command that runs the driver's.
            options: of `pushtrain run`.
        """
        self._tend()
        self.note("the run begins")
        self._start("driver", (*before, PUSHTRAIN, "run", str(self._source), *options))

    def note(self, what: str) -> float:
        """Writes into the diary; gives the moment."""
        now = time.monotonic()
        self.diary.append((now, what))
        return now

    def until(
        self, condition: Callable[[], _T | None], what: str, seconds: float = _PATIENCE
    ) -> _T:
        """Waits for something, and gives it; raises Stuck."""
        end = time.monotonic() + seconds
        while True:
            self._tend()
            found = condition()
            if found:
                return found
            if time.monotonic() > end:
                raise Stuck(f"{what} does not happen within {seconds:g} s")
            time.sleep(_LOOK)

    @property
    def run(self) -> str:
        """The run's id; empty until it has begun."""
        folder = self.progress.folder
        return folder.name if folder else ""

    @property
    def is_judged(self) -> bool:
        """Whether it has its verdict."""
        return self.progress.since("judged", 0) > 0

    def _tend(self) -> None:
        """Looks at the run, buries ended processes, and starts the monitor as systemd would."""
        self.progress.look()
        self._began = [process for process in self._began if process.poll() is None]
        if not self._ends and (self._monitor is None or self._monitor.poll() is not None):
            self._monitor = self._start("monitor", (PUSHTRAIN, "monitor", "--interval", "5"))

    def _start(self, name: str, command: tuple[str, ...]) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        if name != "monitor":
            self._began.append(process)
        return process

    @property
    def disk(self) -> int:
        """Bytes that the trial's checkpoints may have."""
        return load_repository(self._source).limits.disk

    # --- who is there --------------------------------------------------------------------------

    @property
    def monitor(self) -> int:
        """The monitor's process."""
        assert self._monitor is not None
        return self._monitor.pid

    def drivers(self) -> tuple[int, ...]:
        """The processes that drive the run, or try to, the newest last."""
        found = sorted(processes.of_home(self.home))
        return tuple(
            process
            for process, arguments in found
            if {"run", "resume"} & set(arguments) and arguments[0] not in _STARTERS
        )

    def workers(self) -> Iterator[tuple[str, int]]:
        """(container, process 1 of it) of each worker that runs."""
        with self.connection.calling("its containers cannot be looked at") as client:
            for one in client.containers(filters={"label": f"{LABEL_RUN}={self.run}"}):
                process = client.inspect_container(one["Id"])["State"]["Pid"]
                if process:
                    yield one["Id"], process

    def training(self) -> Training | None:
        """The trial under way, where the engine has one at this moment."""
        for container, worker in self.workers():
            for child in processes.children(worker):
                return Training(container, worker, child)
        return None

    def checkpoints(self) -> Path | None:
        """Where the engine keeps the checkpoints of the trial under way."""
        with self.connection.calling("its volumes cannot be looked at") as client:
            filters = {"label": [f"{LABEL_RUN}={self.run}", LABEL_CHECKPOINTS]}
            for volume in client.volumes(filters=filters)["Volumes"] or ():
                for trial in Path(volume["Mountpoint"]).glob("trials/*/"):
                    return trial
        return None

    def held(self) -> tuple[str, ...]:
        """Containers and volumes of the run that the engine has."""
        with self.connection.calling("what it holds cannot be looked at") as client:
            filters = {"label": f"{LABEL_RUN}={self.run}"}
            containers = client.containers(all=True, filters=filters)
            volumes = client.volumes(filters=filters)["Volumes"] or ()
        return (*(c["Names"][0] for c in containers), *(v["Name"] for v in volumes))

    # --- the end -------------------------------------------------------------------------------

    def settle(self) -> None:
        """Waits until nothing is left to be done, and ends the monitor."""
        self.until(lambda: self.is_judged, "the verdict", 2 * _PATIENCE)
        self.until(lambda: self.inbox.taken, "a mail")
        self.until(lambda: not self.drivers(), "the last driver's end")
        self.until(lambda: not self.held(), f"the removal of what {self.run} had")
        self.until(lambda: not self._zombies(), "the burial of ended drivers", 10)
        self._ends = True
        assert self._monitor is not None
        self._monitor.terminate()
        self._monitor.wait(60)
        once = subprocess.run(
            (PUSHTRAIN, "monitor", "--once"),
            env=self.environment,
            check=False,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
        )
        if once.returncode or once.stdout:
            raise Stuck(f"a monitor still finds: {once.stdout}{once.stderr}")
        self.until(lambda: not list(processes.of_home(self.home)), "the end of all processes", 30)
        self.note("nothing is left to be done")

    def _zombies(self) -> list[int]:
        return [child for child in processes.children(self.monitor) if processes.is_zombie(child)]

    def clear(self) -> None:
        """Ends and removes whatever is there, however it went."""
        self._ends = True
        for process, _ in processes.of_home(self.home):
            processes.kill(process, signal.SIGKILL)
        for process in (*self._began, self._monitor):
            if process is not None:
                process.wait(60)
        if self.run:
            clear(self.connection, self.run)


@contextmanager
def on_stage(
    folder: Path, program: Program, connection: Connection, daemon: Daemon | None
) -> Iterator[Stage]:
    """A stage in a new folder; nothing of its processes and on the engine is left afterwards."""
    folder.mkdir(parents=True)
    inbox = Inbox()
    with mail_server(inbox) as port:
        stage = Stage(folder, program, connection, daemon, inbox, port)
        try:
            yield stage
        finally:
            stage.clear()


def in_own_processes() -> tuple[str, ...]:
    """What gives a command a namespace of processes of its own, as a container has it."""
    return ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")


def with_clock(seconds: float) -> tuple[str, ...]:
    """What lets the wall clock of a Python command go wrong by so many seconds."""
    script = (
        "import runpy, sys, time\n"
        f"right = time.time\ntime.time = lambda: right() + {seconds}\n"
        "time.time_ns = lambda: int(time.time() * 1e9)\n"
        "sys.argv = sys.argv[1:]\nrunpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    return (sys.executable, "-c", script)
