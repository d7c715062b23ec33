"""Trains a script with checkpoints and without, in turn; runs in a training image.

    python checkpoint_inside.py LIBRARY SCRIPT TIMES

Each training is a process forked from this one, with the real adapter, as in a worker. Prints
JSON: of each training with checkpoints and of each without the seconds and the processor's seconds,
and how often the former were saved.
"""

from __future__ import annotations

import importlib
import json
import os
import socket
import sys
import tempfile
import time
from pathlib import Path


def main(library: str, script: str, times: str) -> int:
    sys.path.insert(0, str(Path(library).resolve()))
    script = str(Path(script).resolve())
    for module in ("numpy", "sklearn.datasets", "tensorflow", "keras"):
        importlib.import_module(module)
    found: dict[str, list[object]] = {"with": [], "without": [], "saves": []}
    for number in range(2 * int(times)):
        is_saved = number % 2 == (number // 2) % 2  # neither of the two is always the first
        with tempfile.TemporaryDirectory() as place:
            seconds = train(Path(script), Path(place), is_saved=is_saved)
            found["with" if is_saved else "without"].append(seconds)
            if is_saved:
                found["saves"].append(saves(Path(place) / "checkpoints"))
    print(json.dumps(found))
    return 0


def train(script: Path, place: Path, *, is_saved: bool) -> tuple[float, float]:
    """Seconds of the script, without importing its framework, and those of the processor."""
    (place / "source").mkdir()
    (place / "out").mkdir()
    if is_saved:  # where there is no place for them, nothing is saved
        (place / "checkpoints").mkdir()
    started = time.perf_counter()
    child = os.fork()
    if not child:
        code = 1
        try:
            inside(script, place)
            code = 0
        finally:
            os._exit(code)
    _, status, used = os.wait4(child, 0)
    seconds = time.perf_counter() - started
    if status:
        sys.exit(f"the script failed: {status}")
    return seconds, used.ru_utime + used.ru_stime


def inside(script: Path, place: Path) -> None:
    from pushtrain.worker.adapters import keras  # noqa: PLC0415
    from pushtrain.worker.checkpoints import Checkpoints  # noqa: PLC0415
    from pushtrain.worker.orders import Order  # noqa: PLC0415
    from pushtrain.worker.session import Session  # noqa: PLC0415

    sys.stdout = sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115
    os.chdir(place / "source")
    heard, channel = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    heard.shutdown(socket.SHUT_RD)
    checkpoints = Checkpoints(place / "checkpoints", 1 << 30)
    order = Order(1, 1, script.name, 0, 600.0)
    session = Session(order, place / "source", place / "out", channel, checkpoints)
    keras.install(session)
    keras.seed(session, 0)
    exec(compile(script.read_text("utf-8"), "train.py", "exec"), {"__name__": "__main__"})


def saves(checkpoints: Path) -> int:
    """How often the first fit was saved: the newest generation has the number."""
    heads = [path.read_bytes()[16:24] for path in checkpoints.glob("fit-1.[01]")]
    return max(int.from_bytes(head, "little") for head in heads)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
