"""The user's script, run as `python script.py` would run it."""

from __future__ import annotations

import atexit
import builtins
import contextlib
import ctypes
import gc
import io
import os
import sys
import threading
import traceback
from collections.abc import Sequence
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, NamedTuple

from pushtrain.stack import roomy
from pushtrain.worker.frames import Frames
from pushtrain.worker.values import text

_INTERRUPTED = 130
"""What a shell reports of a program that was interrupted."""


class Failure(NamedTuple):
    """The exception that ended a script, as it is told outside."""

    error: BaseException
    kind: str
    traceback: str


class End(NamedTuple):
    """How a script ended: its exit code, and why if it was not by its own decision."""

    code: int
    failure: Failure | None = None


def run(script: Path, arguments: Sequence[str], library: str, frames: Frames) -> End:
    """Executes a script as `__main__` in the current directory.

    Args:
        script: its absolute path.
        arguments: what it finds in `sys.argv` after its own name.
        library: where the package `pushtrain` lies, for the interpreters that it starts.
        frames: tells its code from everybody else's.
    """
    sys.argv = [os.path.relpath(script), *arguments]
    sys.path[:] = [str(script.parent), *(path for path in sys.path if path != library), library]
    _make_way(script.parent)
    main = _main_module(script)
    try:
        code = compile(script.read_bytes(), str(script), "exec", dont_inherit=True)
        _execute(code, main.__dict__)
    except SystemExit as exit_:
        return _exited(exit_, frames)
    except BaseException as error:
        failure = _shown(error, frames)
        return End(_INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1, failure)
    return End(0)


@roomy
def _execute(code: CodeType, namespace: dict[str, Any]) -> None:
    exec(code, namespace)  # noqa: S102  # it is what this process is for


def join_threads() -> None:
    """Waits for the threads that the script left working; a pool's idle ones wait for its end."""
    futures = sys.modules.get("concurrent.futures.thread")
    pools = set(getattr(futures, "_threads_queues", ()))
    me = threading.current_thread()
    while True:
        waited = [
            thread
            for thread in threading.enumerate()
            if not thread.daemon and thread is not me and thread not in pools
        ]
        if not waited:
            return
        waited[0].join()


def close() -> None:
    """What an interpreter does at its end: threads, exit functions, and what is not yet written.

    Its modules are not torn down, which takes long in large frameworks and helps nobody.
    """
    for step in (threading._shutdown, atexit._run_exitfuncs, write_all):  # type: ignore[attr-defined]
        with contextlib.suppress(BaseException):
            step()


def _make_way(directory: Path) -> None:
    """Lets the script's neighbours be imported under names that frameworks have taken."""
    stdlib: frozenset[str] = getattr(sys, "stdlib_module_names", frozenset())
    for entry in directory.iterdir():
        name = entry.stem if entry.suffix == ".py" else entry.name
        module = sys.modules.get(name)
        file = getattr(module, "__file__", None) or ""
        is_neighbour = entry.suffix == ".py" or (entry / "__init__.py").exists()
        if is_neighbour and "site-packages" in file and name not in stdlib:
            for known in [one for one in sys.modules if one == name or one.startswith(f"{name}.")]:
                del sys.modules[known]


def _main_module(script: Path) -> ModuleType:
    """A real `__main__`, so that its classes can be pickled and other processes can import it."""
    main = ModuleType("__main__")
    main.__file__ = str(script)
    main.__loader__ = SourceFileLoader("__main__", str(script))
    main.__dict__.update(__builtins__=builtins, __cached__=None)
    sys.modules["__main__"] = main
    return main


def _exited(exit_: SystemExit, frames: Frames) -> End:
    code = exit_.code
    if code is None:
        return End(0)
    if isinstance(code, int):
        return End(code & 0xFF)
    print(code, file=sys.stderr)
    return End(1, Failure(exit_, "SystemExit", _formatted(exit_, frames)))


def _shown(error: BaseException, frames: Frames) -> Failure:
    """Prints the traceback as the interpreter would, without frames that are ours."""
    error.__traceback__ = frames.without_ours(error.__traceback__)
    arguments = type(error), error, error.__traceback__
    for hook in (sys.excepthook, sys.__excepthook__):
        try:
            hook(*arguments)
            break
        except BaseException:  # noqa: S112  # the script's own hook is broken: the usual one
            continue
    module, name = type(error).__module__, type(error).__qualname__
    kind = name if module in ("builtins", "__main__") else f"{module}.{name}"
    return Failure(error, kind, _formatted(error, frames))


def _formatted(error: BaseException, frames: Frames) -> str:
    trace = frames.without_ours(error.__traceback__)
    try:
        return "".join(traceback.format_exception(type(error), error, trace))
    except Exception:
        return f"{type(error).__name__}: {text(error)}"


def write_all() -> None:
    """Flushes every file that the script left open, and what libraries printed by themselves."""
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        with contextlib.suppress(Exception):
            stream.flush()  # type: ignore[union-attr]  # an error of whatever it is now is no matter
    for kinds in ((io.TextIOWrapper,), (io.BufferedWriter, io.BufferedRandom)):
        for held in gc.get_objects():
            if type(held) in kinds:
                with contextlib.suppress(Exception):
                    held.flush()
    ctypes.CDLL(None).fflush(None)
