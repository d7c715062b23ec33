"""Runs small scripts through the real adapters; copied into a training image, or run beside one.

    PYTHON driver.py LIBRARY CASES RESULTS

LIBRARY holds the package `pushtrain`, CASES a directory for each case: `case.json` (entry, seed,
how: "adapted" or "bare", preload) and the script's files. RESULTS gets one JSON object: by case
what the trial said of itself, its output, and how it ended. The frameworks are imported once, and
each case is a forked child, just as in the worker.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import socket
import sys
import time
import traceback
import types
from pathlib import Path

ADAPTERS = ("keras", "sklearn")


def main(library: str, cases: str, results: str) -> int:
    sys.path.insert(
        0, str(Path(library).resolve())
    )  # the package is imported where it is needed: from there
    cases = str(Path(cases).resolve())  # scripts change their directory
    preload = ["numpy"]
    for path in sorted(Path(cases).iterdir()):
        preload += json.loads((path / "case.json").read_text())["preload"]
    for module in dict.fromkeys(preload):
        importlib.import_module(module)
    found = {}
    for path in sorted(Path(cases).iterdir()):
        case = json.loads((path / "case.json").read_text())
        found[path.name] = run(case, path)
        Path(results).write_text(json.dumps(found))
    return 0


def run(case: dict, path: Path) -> dict:
    from pushtrain.worker.orders import Order  # noqa: PLC0415
    from pushtrain.worker.outcome import Outcome  # noqa: PLC0415

    order = Order(1, 1, case["entry"], case["seed"], 600.0)
    outcome, printed = Outcome(order), path / "printed.txt"
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    started = time.perf_counter()
    sys.stdout.flush()
    child = os.fork()
    if not child:
        ours.close()
        code = 1
        try:
            (path / "checkpoints").mkdir()
            places = types.SimpleNamespace(
                source=path, out=path / "out", checkpoints=path / "checkpoints"
            )
            code = inside(case, order, places, theirs, printed)
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    theirs.close()
    while message := ours.recv(1 << 20):
        outcome.take(message)
    _, status = os.waitpid(child, 0)
    out = path / "out"
    if not printed.exists():
        raise RuntimeError(f"{path.name}: the harness itself ended with {status}")
    files = sorted(str(p.relative_to(out)) for p in out.rglob("*") if p.is_file())
    return {
        **outcome._record,
        "exit": {"code": os.waitstatus_to_exitcode(status)},
        "files": files,
        "output": printed.read_text("utf-8", "replace"),
        "took": round(time.perf_counter() - started, 3),
    }


def inside(case: dict, order, places, channel: socket.socket, printed: Path, prepare=None) -> int:
    from pushtrain.worker.checkpoints import Checkpoints  # noqa: PLC0415
    from pushtrain.worker.session import Session  # noqa: PLC0415

    path, out = places.source, places.out
    out.mkdir(exist_ok=True)
    os.chdir(path)
    descriptor = os.open(printed, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    checkpoints = Checkpoints(places.checkpoints, 1 << 30)
    session = Session(order, path, out, channel, checkpoints)
    if prepare:
        prepare(session)
    random.seed(order.seed)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(order.seed)
    adapters = [importlib.import_module(f"pushtrain.worker.adapters.{name}") for name in ADAPTERS]
    is_adapted = case["how"] == "adapted"
    importlib.import_module("pushtrain.worker.adapters.legacy_keras").install()
    for adapter in adapters:
        if any(module in sys.modules for module in adapter.MODULES):
            if is_adapted:
                adapter.install(session)
            if hasattr(adapter, "seed"):
                adapter.seed(session, order.seed)
    code = 0
    try:
        sys.argv = [order.entry, *case.get("args", [])]
        sys.path.insert(0, str(path))
        script = types.ModuleType("__main__")
        script.__file__ = str(path / order.entry)
        sys.modules["__main__"] = script  # for good: what is pickled afterwards is looked up in it
        exec(compile(Path(script.__file__).read_bytes(), script.__file__, "exec"), vars(script))
    except SystemExit as error:
        code = int(error.code or 0)
    except BaseException as error:
        traceback.print_exc()
        session.error(error, type(error).__name__, traceback.format_exc())
        code = 1
    if is_adapted:
        for adapter in adapters:
            if any(module in sys.modules for module in adapter.MODULES):
                adapter.finish(session)
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
