"""One trial from inside: the forked process that runs the user's script."""

from __future__ import annotations

import contextlib
import io
import os
import resource
import signal
import socket
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from pushtrain.worker import display, network, processes, program, scripted, seeds
from pushtrain.worker.adaptation import Adaptation
from pushtrain.worker.checkpoints import Checkpoints
from pushtrain.worker.imports import ImportHook
from pushtrain.worker.orders import Order
from pushtrain.worker.output import HELPER
from pushtrain.worker.session import Session

_BROKEN = 70
"""Exit code where the worker's own part of the child is at fault."""


@dataclass(frozen=True)
class Child:
    """What a child starts with.

    Attributes:
        order: what is to be trained.
        folder: the trial's directory.
        checkpoints: the directory of its checkpoints.
        library: where the worker's own modules lie.
        output: the pipe that it prints to.
        channel: where it says what its trial tells of itself.
        adaptation: the adapters.
        disk: bytes that one file may have, and all checkpoints together.
    """

    order: Order
    folder: Path
    checkpoints: Path
    library: str
    output: int
    channel: socket.socket
    adaptation: Adaptation
    disk: int

    def run(self) -> NoReturn:
        """Runs the script to its end; in the forked process, which ends with it."""
        code = _BROKEN
        try:
            self._settle()
            code = self._train()
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(BaseException):
                program.close()
            os._exit(code)

    def _settle(self) -> None:
        """Becomes an ordinary process with limits, which is no part of the worker any more."""
        processes.leave_charge()
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000")  # before the worker, if any goes
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        most = self.disk if hard == resource.RLIM_INFINITY else min(self.disk, hard)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        _connect(self.output)

    def _train(self) -> int:
        order, me = self.order, os.getpid()
        source, out = self.folder / "source", self.folder / "out"
        (out / "model").mkdir(parents=True)
        os.chdir(source / order.workdir)
        os.environ["PUSHTRAIN_REPORT"] = str(self.folder / HELPER)
        os.environ.setdefault("PYTHONPATH", self.library)
        os.environ.update(order.environment)

        checkpoints = Checkpoints(self.checkpoints, self.disk)
        session = Session(order, source, out, self.channel, checkpoints)
        scripted.allow(session)
        imports = ImportHook()
        imports.install()
        seeds.sow(order.seed, imports)
        display.do_without(imports)
        self.adaptation.begin(session, imports)
        network.watch(session)

        began = time.monotonic()
        end = program.run(source / order.entry, order.args, self.library, session.frames)
        if os.getpid() != me:
            return end.code  # a process that the script forked, and that came to the same end
        if end.failure:
            session.error(*end.failure)
        program.join_threads()
        session.seconds("script", time.monotonic() - began)
        self.adaptation.finish(session)
        return end.code


def _connect(output: int) -> None:
    """Standard streams of the script's own: it reads nothing, and prints into its trial's pipe."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(nothing)
    os.close(output)
    sys.stdin = sys.__stdin__ = open(0, encoding="utf-8", closefd=False)  # type: ignore[misc]  # noqa: SIM115
    sys.stdout = sys.__stdout__ = _stream(1, "surrogateescape")  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _stream(2, "backslashreplace")  # type: ignore[misc]


def _stream(descriptor: int, errors: str) -> io.TextIOWrapper:
    raw = open(descriptor, "wb", closefd=False)  # noqa: SIM115
    return io.TextIOWrapper(raw, encoding="utf-8", errors=errors, line_buffering=True)
