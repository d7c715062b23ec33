"""The worker as an ordinary process of this machine: its own files, another root than /pushtrain.

What it says is read with the driver's strict parsers, as in production.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any, TypeVar

from pushtrain.trial.bundle import order_files, worker_files
from pushtrain.trial.protocol import (
    EpochPassed,
    Logged,
    TrialOrder,
    TrialOutcome,
    TrialOver,
    WorkerEvent,
    WorkerOrder,
    parse_event,
    parse_result,
)

MIB = 1024**2

Event = TypeVar("Event", bound=WorkerEvent)


@dataclass
class Trained:
    """What a trial came to: all that was said of it, its result, and where its files are."""

    outcome: TrialOutcome
    out: Path
    events: list[WorkerEvent] = field(default_factory=list)

    @property
    def printed(self) -> str:
        """What its script printed."""
        return "".join(event.text for event in self.events if isinstance(event, Logged))

    @property
    def epochs(self) -> list[EpochPassed]:
        """The epochs that were told of while it ran."""
        return [event for event in self.events if isinstance(event, EpochPassed)]

    @property
    def files(self) -> dict[str, bytes]:
        """What is brought out but for result.json."""
        return {
            str(path.relative_to(self.out)): path.read_bytes()
            for path in sorted(self.out.rglob("*"))
            if path.is_file() and path.name != "result.json"
        }


class WorkerProcess:
    """A worker to talk to.

    Args:
        root: an empty directory, which stands for /pushtrain and /tmp.
        source: the pushed tree, by path.
        adapters: content of adapters that the worker has besides, by name.
        python: the interpreter.
    """

    def __init__(
        self,
        root: Path,
        source: Mapping[str, str],
        *,
        adapters: Mapping[str, str] | None = None,
        preload: Iterable[str] = (),
        data: Iterable[str] = (),
        python: str = sys.executable,
        disk: int = 64 * MIB,
        log: int = MIB,
        grace: float = 0.3,
        stall: float = 600,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.root = root / "pushtrain"
        self.tmp = root / "tmp"
        for directory in (self.root / "trials", self.root / "inbox", self.tmp):
            directory.mkdir(parents=True)
        for file in worker_files():
            _write(self.root / "lib" / file.path, file.content or b"")
        for name, text in (adapters or {}).items():
            _write(self.root / "lib/pushtrain/worker/adapters" / f"{name}.py", text.encode())
        self.put(source)
        order = WorkerOrder(
            preload=tuple(preload),
            adapters=tuple(adapters or ()),
            disk=disk,
            log=log,
            grace=grace,
            stall=stall,
            data=tuple(data),
        )
        _write(self.root / "worker.json", order.encode())
        self._said = self._ordered = 0
        self._errors = (root / "stderr").open("w+b")
        self.process = subprocess.Popen(
            [python, "-s", "-B", "-u", str(self.root / "lib"), str(self.root), str(self.tmp)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={"PATH": os.environ["PATH"], "PYTHONHASHSEED": "0", **(environment or {})},
        )

    def put(self, source: Mapping[str, str]) -> None:
        """Puts files into the pushed tree."""
        (self.root / "source").mkdir(exist_ok=True)
        for path, text in source.items():
            _write(self.root / "source" / path, text.encode())

    def take_over(self, other: WorkerProcess) -> None:
        """Gets the checkpoints of a worker, as a container gets the volume of the one before."""
        (other.root / "checkpoints").rename(self.root / "checkpoints")

    def hear(self) -> WorkerEvent:
        """The next event; fails the test when there is none."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the worker has ended, {self.process.wait()}: {self.errors}"
        event = parse_event(line.rstrip(b"\n"))
        assert event.seq == self._said + 1
        self._said = event.seq
        return event

    def order(
        self, changed: Mapping[str, bytes] | None = None, *, again: int = 0, **facts: object
    ) -> int:
        """Gives an order, for another attempt at trial `again` or a new one; gives its number."""
        trial = self._ordered = again or self._ordered + 1
        order = {"attempt": 1, "entry": "train.py", "seed": 1, "time_limit": 60.0, **facts}
        for file in order_files(TrialOrder(trial=trial, **order), changed or {}):  # type: ignore[arg-type]
            _write(
                self.root / "inbox" / f"{trial}-{order['attempt']}" / file.path, file.content or b""
            )
        return trial

    def over(self, trial: int) -> Trained:
        """Hears a trial out."""
        events = [self.hear()]
        while not isinstance(events[-1], TrialOver):
            events.append(self.hear())
        out = self.root / "trials" / str(trial) / "out"
        outcome = parse_result((out / "result.json").read_bytes())
        said = events[-1].result
        assert said is None or said.model_dump_json() == outcome.model_dump_json()
        assert outcome.trial == trial
        return Trained(outcome, out, events)

    def train(self, script: str | None = None, **order: Any) -> Trained:
        """Trains a trial to its end, with another train.py where one is given."""
        return self.over(self.begin(script, **order))

    def begin(self, script: str | None = None, **order: Any) -> int:
        """Gives the order alone."""
        changed = {} if script is None else {"train.py": dedent(script).encode()}
        return self.order(changed, **order)

    def until(self, kind: type[Event]) -> Event:
        """Hears on until an event of this kind."""
        while not isinstance(event := self.hear(), kind):
            pass
        return event

    @property
    def errors(self) -> str:
        """What it wrote to standard error."""
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")

    def close(self) -> None:
        """Ends it, whatever it does, and the trial under way, which no container takes along."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        trials = children.read_text().split() if children.exists() else []
        self.process.kill()
        for trial in trials:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(trial), signal.SIGKILL)
        self.process.wait()
        self._errors.close()
        if self.process.stdout:
            self.process.stdout.close()
        shutil.rmtree(self.root.parent, ignore_errors=True)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
