"""How long a run stands still when something dies: until that is noticed, until the next attempt
runs, and until its first epoch has ended, which includes importing the framework."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median

from table import Row

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from chaos.injuries import INJURIES, Injury, struck
from chaos.program import CALLS, KERAS, Program
from chaos.progress import BEGINS, TRAINED
from chaos.stage import Stage, Training, on_stage
from pushtrain.engine.connection import Connection

_TIMES = 5
_NOTICED = ("attempt_failed", "driver_lost")
_KILLED = {"child": "the trial's process", "worker": "the worker", "rm": "the container"}
_WHAT = {**_KILLED, "driver": "the driver, with a monitor"}
_GOALS = (2.0, 5.0)
"""Seconds until it is noticed, and until the next attempt runs."""


@dataclass(frozen=True, slots=True)
class _Pause:
    """Seconds from a kill until it was noticed, the next attempt ran, and an epoch had ended."""

    noticed: float
    running: float
    trained: float


def relaunch() -> list[Row]:
    """Each kind of death five times, each in a trial of its own, with scikit-learn and Keras."""
    rows = []
    for program in (CALLS, KERAS):
        for injury in INJURIES:
            if injury.name in _WHAT:
                with tempfile.TemporaryDirectory() as place:
                    cold, pauses = _pauses(program, injury, Path(place) / "stage")
                rows += _rows(f"{program.name}: {_WHAT[injury.name]}", cold, pauses)
    return rows


def _rows(what: str, cold: float, pauses: list[_Pause]) -> list[Row]:
    noticed = median(pause.noticed for pause in pauses)
    running = median(pause.running for pause in pauses)
    trained = median(pause.trained for pause in pauses)
    return [
        Row("relaunch", f"{what}: noticed", noticed, "2 s", _GOALS[0], "under 1"),
        Row("relaunch", f"{what}: runs again", running, "5 s", _GOALS[1], "under 1"),
        Row("relaunch", f"{what}: an epoch has ended", trained, "from nothing", cold),
    ]


def _pauses(program: Program, injury: Injury, folder: Path) -> tuple[float, list[_Pause]]:
    """Seconds from nothing to the first epoch, and what each kill cost."""
    with on_stage(folder, program, Connection.from_environment(), None) as stage:
        stage.begin(options=("--trials", str(_TIMES)))
        stage.until(lambda: stage.progress.since(TRAINED, 0), "the first epoch")
        seen = stage.progress.seen
        first = next(one.when for one in seen if one.kind == TRAINED)
        began = next(one.when for one in seen if one.facts.get("state") == "training")
        pauses = [_pause(stage, injury) for _ in range(_TIMES)]
        stage.settle()
    return first - began, pauses


def _pause(stage: Stage, injury: Injury) -> _Pause:
    """Kills in the trial under way, and waits for the next one."""
    trial = stage.progress.since("trial_ended", 0)
    stage.until(lambda: _epochs(stage, trial, 0) >= 2, f"two epochs of trial {trial}")
    before = stage.until(stage.training, "training")
    start, when = len(stage.progress.seen), stage.note(injury.name)
    assert struck(injury, stage, Random(0))
    stage.until(lambda: _goes_on(stage, before), "another attempt")
    running = stage.note("another attempt runs")
    stage.until(lambda: _first_epoch(stage, start), "an epoch of it")
    stage.until(lambda: stage.progress.since("trial_ended", 0) > trial, "its end")
    noticed = next(one.when for one in stage.progress.seen[start:] if one.kind in _NOTICED)
    return _Pause(noticed - when, running - when, (_first_epoch(stage, start) or 0.0) - when)


def _epochs(stage: Stage, trial: int, start: int) -> int:
    return sum(one.kind == TRAINED and one.trial == trial for one in stage.progress.seen[start:])


def _goes_on(stage: Stage, before: Training) -> bool:
    """Whether another container runs, or in the same one another process of the trial."""
    if any(container != before.container for container, _ in stage.workers()):
        return True
    now = stage.training()
    return now is not None and now.child != before.child


def _first_epoch(stage: Stage, start: int) -> float | None:
    """When the first epoch of an attempt after the kill had ended."""
    later = iter(stage.progress.seen[start:])
    for one in later:
        if one.kind == BEGINS:
            return next((then.when for then in later if then.kind == TRAINED), None)
    return None
