"""A trainer without containers: a function of the knob values is its metric, nothing waits."""

from __future__ import annotations

import hashlib
import json
import math
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from pushtrain.entities import (
    Artifact,
    Cause,
    Direction,
    Epoch,
    Failure,
    KnobValues,
    Measurement,
    Objective,
    Role,
    TrialResult,
    TrialSpec,
    TrialState,
)
from pushtrain.errors import PushtrainError
from pushtrain.interfaces import TrialWatcher

Score: TypeAlias = Callable[[KnobValues, int], float]
"""The metric of (knob values, seed): its value after the last epoch."""
Fail: TypeAlias = Callable[[TrialSpec], Failure | PushtrainError | None]
"""How a trial fails; an error means that the worker itself is gone, and is raised."""


class FakeTrainer:
    """Implements `pushtrain.interfaces.Trainer`; the same spec gives the same result.

    Args:
        trials: where the trials' folders go, each with log.txt and out/model/model.json.
        objective: what is measured.
        score: the metric's value, from the knob values and the seed.
        epochs: how many each trial has.
        role: what the value is said to be measured on.
        fail: which trials fail, and how.
        data: what `start` gives.
        start_error: what `start` raises.
        before_epoch: called in the trainer's thread before each epoch, with trial and epoch:
            the place for a test to stop, cancel or wait for something.
    """

    def __init__(
        self,
        trials: Path,
        objective: Objective,
        score: Score,
        *,
        epochs: int = 3,
        role: Role = Role.HELD_OUT,
        fail: Fail | None = None,
        data: Mapping[str, str] | None = None,
        start_error: PushtrainError | None = None,
        before_epoch: Callable[[int, int], None] | None = None,
    ) -> None:
        self._trials, self._objective, self._score = trials, objective, score
        self._count, self._role, self._fail = epochs, role, fail
        self._data, self._start_error, self._before_epoch = data or {}, start_error, before_epoch
        self.stopping = threading.Event()
        """Set by `stop` and `close`."""
        self.trained: list[TrialSpec] = []
        """Every trial that was taken on, in order."""
        self.is_started = self.is_closed = False

    def start(self) -> Mapping[str, str]:
        """Gives the fingerprints, or raises what it was told to."""
        if self._start_error is not None:
            raise self._start_error
        self.is_started = True
        return dict(self._data)

    def train(self, spec: TrialSpec, watcher: TrialWatcher) -> TrialResult:
        """Goes through the epochs at once, stopping and pruning as the watcher and `stop` say."""
        assert self.is_started, "start() comes first"
        assert not self.is_closed, "close() comes last"
        if spec.resumes:
            watcher.on_resumed(spec.number, spec.attempt, 0)
        if self.stopping.is_set():
            return self._result(spec, TrialState.STOPPED)
        self.trained.append(spec)
        failure = self._fail(spec) if self._fail else None
        if isinstance(failure, PushtrainError):
            raise failure
        if failure is not None:
            return self._result(spec, TrialState.FAILED, failure=failure)
        folder = self._trials / str(spec.number)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "log.txt").write_bytes(b"")
        epochs: list[Epoch] = []
        while len(epochs) < self._count:
            if self._before_epoch:
                self._before_epoch(spec.number, len(epochs) + 1)
            if self.stopping.is_set():
                return self._result(spec, TrialState.STOPPED, epochs)
            epochs.append(self._epoch(spec, len(epochs) + 1))
            self._print(folder, spec, epochs[-1], watcher)
            watcher.on_alive(spec.number, 1024**2)
            if watcher.on_epoch(spec.number, epochs[-1], self._count):
                return self._result(spec, TrialState.PRUNED, epochs)
        return self._ended(spec, epochs, folder)

    def stop(self, *, keep: bool = False) -> None:
        """Ends the trial under way before its next epoch, and refuses further ones."""
        self.stopping.set()

    def close(self) -> None:
        """Refuses everything from now on."""
        self.stopping.set()
        self.is_closed = True

    def _epoch(self, spec: TrialSpec, number: int) -> Epoch:
        """The metric comes nearer to its final value with every epoch, and reaches it."""
        value, share = self._score(spec.values, spec.seed), number / self._count
        is_higher = self._objective.direction is Direction.MAXIMIZE
        value *= share if is_higher else 2 - share
        name = self._objective.metric
        return Epoch(number, {name: value, f"val_{name}": value}, 0.5)

    def _print(self, folder: Path, spec: TrialSpec, epoch: Epoch, watcher: TrialWatcher) -> None:
        text = f"epoch {epoch.number}: {epoch.metrics[self._objective.metric]:g}\n"
        with (folder / "log.txt").open("a") as log:
            log.write(text)
        watcher.on_log(spec.number, text)

    def _ended(self, spec: TrialSpec, epochs: list[Epoch], folder: Path) -> TrialResult:
        metric, value = self._objective.metric, self._score(spec.values, spec.seed)
        measured = Measurement(metric, value, self._role, "model.evaluate at train.py:41")
        artifact = _save(folder, spec)
        if math.isfinite(value):
            return self._result(spec, TrialState.COMPLETE, epochs, measured, (artifact,))
        failure = Failure(Cause.NOT_A_NUMBER, f"trial {spec.number}: {metric} is {value}")
        return self._result(spec, TrialState.FAILED, epochs, measured, (artifact,), failure)

    def _result(
        self,
        spec: TrialSpec,
        state: TrialState,
        epochs: list[Epoch] | None = None,
        measurement: Measurement | None = None,
        artifacts: tuple[Artifact, ...] = (),
        failure: Failure | None = None,
    ) -> TrialResult:
        return TrialResult(
            number=spec.number,
            state=state,
            values=dict(spec.values),
            seed=spec.seed,
            measurement=measurement if state is TrialState.COMPLETE else None,
            measurements=(measurement,) if measurement else (),
            epochs=tuple(epochs or ()),
            failure=failure,
            seconds=0.5 * len(epochs or ()),
            artifacts=artifacts,
            parameters=dict(spec.values),
            versions={"python": "3.12.0"},
        )


def _save(folder: Path, spec: TrialSpec) -> Artifact:
    """The "model": values and seed, so that the same training gives the same bytes."""
    path = "out/model/model.json"
    content = json.dumps({"values": dict(spec.values), "seed": spec.seed}, sort_keys=True).encode()
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(content)
    return Artifact(path, len(content), f"sha256:{hashlib.sha256(content).hexdigest()}")
