"""Trains scripts that are killed on their way, each attempt in a process forked from this one.

    PYTHON continued_driver.py LIBRARY CASES RESULTS

Like driver.py; a case has besides `seconds` (between checkpoints inside an epoch, or null) and
`kills`: what ends each attempt but the last one. Every attempt begins with a fresh tree, and with
nothing of those before it but their checkpoints.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import shutil
import signal
import socket
import sys
import traceback
from pathlib import Path
from types import SimpleNamespace

import driver

_COMPARED = (".csv", ".h5", ".joblib", ".json", ".keras", ".txt")
"""Files whose content must be the same."""


def main(library: str, cases: str, results: str) -> int:
    sys.path.insert(0, str(Path(library).resolve()))
    for module in ("numpy", "sklearn.datasets", "keras"):
        importlib.import_module(module)
    found = {}
    for path in sorted(Path(cases).resolve().iterdir()):
        case = json.loads((path / "case.json").read_text())
        attempts = [
            attempt(case, path, number, kill) for number, kill in enumerate([*case["kills"], None])
        ]
        found[path.name] = {**attempts[-1], "ends": [one["end"] for one in attempts]}
        Path(results).write_text(json.dumps(found))
    return 0


def attempt(case: dict, path: Path, number: int, kill: dict | None) -> dict:
    from pushtrain.worker.orders import Order  # noqa: PLC0415
    from pushtrain.worker.outcome import Outcome  # noqa: PLC0415

    folder = path / f"attempt-{number}"
    source, checkpoints = folder / "source", path / "checkpoints"
    (folder / "tmp").mkdir(parents=True)
    source.mkdir()
    shutil.copyfile(path / case["entry"], source / case["entry"])
    checkpoints.mkdir(exist_ok=True)
    order = Order(1, number, case["entry"], case["seed"], 600.0, resume=number > 0)
    outcome = Outcome(order)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    sys.stdout.flush()
    child = os.fork()
    if not child:
        ours.close()
        code = 1
        try:
            os.environ["TMPDIR"] = str(folder / "tmp")
            places = SimpleNamespace(source=source, out=folder / "out", checkpoints=checkpoints)
            prepare = ((lambda session: arm(session, case, kill or {})),)
            code = driver.inside(case, order, places, theirs, folder / "printed.txt", *prepare)
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    theirs.close()
    while message := ours.recv(1 << 20):
        outcome.take(message)
    _, status = os.waitpid(child, 0)
    damage(checkpoints, (kill or {}).get("damage"))
    files = {
        str(one.relative_to(folder)): hashlib.sha256(one.read_bytes()).hexdigest()
        for one in sorted(folder.rglob("*"))
        if one.is_file() and one.suffix in _COMPARED
    }
    printed = (folder / "printed.txt").read_text("utf-8", "replace")
    end = os.waitstatus_to_exitcode(status)
    again = folder / "out" / "again"
    return {
        **outcome._record,
        "end": end,
        "files": files,
        "output": printed,
        "again": int(again.read_text()) if again.exists() else 0,
    }


def arm(session, case: dict, kill: dict) -> None:
    """Sees to it that the process dies where it is to die."""
    arm_sklearn(session, case, kill)
    from pushtrain.worker.adapters.keras_checkpoints import Rhythm  # noqa: PLC0415
    from pushtrain.worker.checkpoints import Pace  # noqa: PLC0415

    seconds = case["seconds"]
    session.shared["rhythm"] = Rhythm(Pace(share=1e9), 1e9 if seconds is None else seconds)
    state = {"fit": 0, "fsync": 0}
    callbacks = sys.modules["keras"].callbacks.CallbackList

    def around(name, act):
        original = getattr(callbacks, name)

        def method(self, *args, **kwargs):
            act(self)
            return original(self, *args, **kwargs)

        setattr(callbacks, name, method)

    def die_at(place):
        def act(self):
            optimizer = getattr(self.model, "encoder_optimizer", self.model.optimizer)
            iteration = int(optimizer.iterations) if kill.get("at") == place else -1
            if (state["fit"], iteration) == (kill.get("fit"), kill.get("number")):
                os.kill(os.getpid(), kill.get("signal", signal.SIGKILL))

        return act

    around("on_train_begin", lambda _: state.update(fit=state["fit"] + 1))
    around("on_train_batch_begin", die_at("batch"))
    around("on_test_batch_begin", die_at("validation"))
    fsync = os.fsync

    def fsync_or_die(descriptor):
        state["fsync"] += 1
        if kill.get("at") == "fsync" and state["fsync"] == kill["number"]:
            os.kill(os.getpid(), signal.SIGKILL)
        fsync(descriptor)

    os.fsync = fsync_or_die


def arm_sklearn(session, case: dict, kill: dict) -> None:
    """The same after a call that trains; tells in out/again of calls that are not computed."""
    from pushtrain.worker.adapters import sklearn_memo  # noqa: PLC0415

    memo, state = sklearn_memo.Memo, {"call": 0, "again": 0}

    class Pace:
        """Each second look is due, or each third."""

        def __init__(self, share):
            self.asked = -1

        def is_due(self, now):
            self.asked += 1
            return self.asked % case["every"] == 0

        def spent(self, seconds):
            pass

    def run_and_die(self, *args, run=memo.run, **kwargs):
        result = run(self, *args, **kwargs)
        state["call"] += 1
        if kill.get("at") == "call" and state["call"] == kill["number"]:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    def count(*args, again=memo._again):
        state["again"] += 1
        (session.out / "again").write_text(str(state["again"]))
        return again(*args)

    sklearn_memo.Pace, memo.run, memo._again = Pace, run_and_die, staticmethod(count)


def damage(checkpoints: Path, how: str | None) -> None:
    """Flips a byte in the newest generation of each checkpoint, or in all of them."""
    for path in checkpoints.glob("fit-*.[01]") if how else ():
        others = checkpoints.glob(f"{path.stem}.[01]")
        newest = max(others, key=lambda one: one.read_bytes()[16:24][::-1])
        if how == "all" or path == newest:
            content = bytearray(path.read_bytes())
            content[len(content) // 2] ^= 1
            path.write_bytes(content)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
