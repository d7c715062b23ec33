"""Jobs, trials and a watcher for the tests of whoever trains."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pushtrain.entities import Epoch, Image, ImagePlan, Objective, TrialSpec
from pushtrain.interfaces import Limits
from pushtrain.trial import Job, Patience

MIB = 1024**2
ACCURACY = Objective("accuracy", 0.8)
LIMITS = Limits(memory=128 * MIB, cpus=2.0, pids=64, disk=16 * MIB, shm=16 * MIB, log=MIB)
IMAGE = Image(
    ImagePlan("pushtrain/none:1", ("base",), (), "/usr/bin/python3", ("keras",), ()), "sha256:1", 1
)
QUICK = Patience(ready=60, grace=0.5, slack=5)


def job(home: Path, *, run: str = "r1", image: Image = IMAGE, **fields: Any) -> Job:
    """A job whose source holds an empty train.py; `fields` bend it."""
    source = home / "source"
    source.mkdir(exist_ok=True)
    if not (source / "train.py").exists():
        (source / "train.py").write_text("")
    usual: dict[str, Any] = {
        "worker": 0,
        "source": source,
        "entry": "train.py",
        "trials": home / "trials",
        "limits": LIMITS,
        "objective": ACCURACY,
        "trial_seconds": 30.0,
    }
    return Job(run=run, image=image, **{**usual, **fields})


def trial(number: int, script: str | None = None, **values: Any) -> TrialSpec:
    """A trial whose train.py is `script`."""
    changed = {} if script is None else {"train.py": script.encode()}
    return TrialSpec(number, values, seed=7, changed=changed)


class Watcher:
    """Keeps what it hears; see `pushtrain.interfaces.TrialWatcher`.

    Args:
        prune: whether an epoch ends the trial.
        on_text: told of everything that is printed.
    """

    def __init__(
        self,
        prune: Callable[[int], bool] = lambda number: False,
        on_text: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._prune, self._on_text = prune, on_text
        self.epochs: list[tuple[int, Epoch, int | None]] = []
        self.text = ""
        self.memory: list[int] = []
        self.resumed: list[tuple[int, int, int]] = []
        self.began = threading.Event()
        """Set when the trial is first heard of."""

    def on_epoch(self, trial: int, epoch: Epoch, epochs: int | None) -> bool:
        self.epochs.append((trial, epoch, epochs))
        self.began.set()
        return self._prune(epoch.number)

    def on_log(self, trial: int, text: str) -> None:
        self.text += text
        self.began.set()
        self._on_text(text)

    def on_resumed(self, trial: int, attempt: int, epochs: int) -> None:
        self.resumed.append((trial, attempt, epochs))

    def on_alive(self, trial: int, memory: int) -> None:
        self.memory.append(memory)
        self.began.set()
