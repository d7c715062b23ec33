"""What the driver asks for: worker.json, and an order for each trial."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pushtrain.worker import trees

VERSION = 1


@dataclass(frozen=True)
class Places:
    """Where things are; only the tests have another root than `/pushtrain`."""

    root: Path
    tmp: Path
    shared: tuple[Path, ...] = ()
    """Where shared memory and message queues have their names."""

    @property
    def source(self) -> Path:
        """The pushed tree, as it was."""
        return self.root / "source"

    @property
    def trials(self) -> Path:
        """Where the trial under way lives."""
        return self.root / "trials"

    @property
    def checkpoints(self) -> Path:
        """Where the checkpoints of the trial under way lie, which outlive the worker."""
        return self.root / "checkpoints" / "trials"

    def trial(self, number: int) -> Path:
        """A trial's directory."""
        return self.trials / str(number)

    def checkpoint(self, number: int) -> Path:
        """The directory of a trial's checkpoints."""
        return self.checkpoints / str(number)


@dataclass(frozen=True)
class Configuration:
    """worker.json; see PROTOCOL.md."""

    preload: list[str]
    adapters: list[str]
    disk: int
    log: int
    grace: float
    stall: float = 600.0
    data: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Order:
    """order.json; see PROTOCOL.md."""

    trial: int
    attempt: int
    entry: str
    seed: int
    time_limit: float
    args: list[str] = field(default_factory=list)
    workdir: str = "."
    environment: dict[str, str] = field(default_factory=dict)
    resume: bool = False


def configuration(places: Places) -> Configuration:
    """Reads worker.json."""
    return Configuration(**_read(places.root / "worker.json"))


class Inbox:
    """The orders, by trial and attempt; each counts once its READY is there."""

    def __init__(self, places: Places) -> None:
        self._directory = places.root / "inbox"
        self._taken: set[str] = set()

    def next(self) -> tuple[Order, Path] | None:
        """The next order and the directory of its changed files, if one has arrived."""
        try:
            names = [name for name in os.listdir(self._directory) if name not in self._taken]  # noqa: PTH208
        except FileNotFoundError:
            return None
        for name in sorted(names, key=lambda name: [int(part) for part in name.split("-")]):
            if (self._directory / name / "READY").exists():
                self._taken.add(name)
                order = Order(**_read(self._directory / name / "order.json"))
                return order, self._directory / name / "changed"
        return None


def prepare(places: Places, order: Order, changed: Path) -> dict[str, trees.Stamp]:
    """Lays out the trial's tree where nothing is left of earlier ones; gives its files' stamps."""
    (places.tmp / "home").mkdir()
    source = places.trial(order.trial) / "source"
    trees.copy(places.source, source)
    if changed.is_dir():
        for entry in trees.walk(changed):
            if entry.is_file(follow_symlinks=False):
                target = source / os.path.relpath(entry.path, changed)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.unlink(missing_ok=True)
                shutil.copyfile(entry.path, target)
    return trees.stamps(source)


def _read(path: Path) -> dict[str, Any]:
    record = json.loads(path.read_text("utf-8"))
    version = record.pop("protocol", None)
    if version != VERSION:
        raise ValueError(f"{path} speaks protocol {version}, this worker speaks {VERSION}")
    return dict(record)
