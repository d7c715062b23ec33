"""The contract of Trainer (pushtrain.interfaces), held by the fake and by real containers."""

from __future__ import annotations

import hashlib
import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest

from fakes.trainer import FakeTrainer
from pushtrain.engine.docker_engine import DockerEngine
from pushtrain.entities import Cause, Failure, Image, KnobValues, TrialSpec, TrialState
from pushtrain.errors import TrainingError
from pushtrain.interfaces import LABEL_RUN, Trainer
from pushtrain.trial import ContainerTrainer
from support import stepping
from support.training import ACCURACY, QUICK, Watcher, job

pytestmark = [pytest.mark.xdist_group("engine")]

SCRIPT = """
import json, sys, time
import pushtrain, steps

VALUE, RAISES, WAITS = 0.9, False, False
for number in (1, 2, 3):
    steps.step(number, 3, val_accuracy=VALUE * number / 3)
    while WAITS:
        time.sleep(1)
if RAISES:
    raise ValueError("no such data")
json.dump(VALUE, open("model.json", "w"))
pushtrain.report(accuracy=VALUE)
"""
GRACE = 10.0
"""Seconds within which a trial must have ended that was asked to."""


class Workshop(Protocol):
    """What makes trainers of one kind, and trials for them."""

    trials: Path

    @property
    def shared(self) -> Trainer:
        """Started, and used by all tests that do not stop it."""

    def make(self) -> Trainer:
        """A new trainer, not started."""

    def make_broken(self) -> Trainer:
        """A trainer whose framework cannot be imported."""

    def left(self) -> int:
        """How many workers exist besides the shared one."""


def spec(
    number: int, value: float = 0.9, *, raises: bool = False, waits: bool = False
) -> TrialSpec:
    """A trial that measures `value`, fails, or waits in its second epoch until it is stopped."""
    line = f"VALUE, RAISES, WAITS = float('{value}'), {raises}, {waits}"
    script = SCRIPT.replace("VALUE, RAISES, WAITS = 0.9, False, False", line)
    values: KnobValues = {"value": value, "raises": raises, "waits": waits}
    changed = {"train.py": script.encode()} if number else {}
    return TrialSpec(number, values, 7, changed)


class FakeWorkshop:
    def __init__(self, home: Path) -> None:
        self.trials = home
        self._open: list[FakeTrainer] = []
        self.shared = self.make()
        self.shared.start()

    def make(self) -> FakeTrainer:
        waiting: dict[int, bool] = {}

        def fail(asked: TrialSpec) -> Failure | None:
            waiting[asked.number] = bool(asked.values["waits"])
            if asked.values["raises"]:
                return Failure(Cause.USER_ERROR, "ValueError: no such data", "train.py", 10)
            return None

        def before_epoch(number: int, epoch: int) -> None:
            if waiting[number] and epoch == 2:
                made.stopping.wait()

        made = FakeTrainer(
            self.trials,
            ACCURACY,
            lambda values, seed: float(values["value"]),
            fail=fail,
            before_epoch=before_epoch,
        )
        self._open.append(made)
        return made

    def make_broken(self) -> FakeTrainer:
        made = FakeTrainer(
            self.trials, ACCURACY, lambda values, seed: 0, start_error=TrainingError("keras")
        )
        self._open.append(made)
        return made

    def left(self) -> int:
        return sum(t.is_started and not t.is_closed for t in self._open if t is not self.shared)


class ContainerWorkshop:
    def __init__(self, home: Path, engine: DockerEngine, run: str, image: Image) -> None:
        self._engine, self._run = engine, run
        self._job = job(home, run=run, image=image)
        self.trials = self._job.trials
        (self._job.source / "train.py").write_text(SCRIPT)
        (self._job.source / "steps.py").write_text(stepping.FRAMEWORK)
        self._made = 0
        self.shared = self.make()
        self.shared.start()

    def make(self) -> ContainerTrainer:
        self._made += 1
        return ContainerTrainer(self._engine, replace(self._job, worker=self._made), QUICK)

    def make_broken(self) -> ContainerTrainer:
        self._made += 1
        plan = replace(self._job.image.plan, preload=("keras_of_nobody",))
        image = replace(self._job.image, plan=plan)
        asked = replace(self._job, worker=self._made, image=image)
        return ContainerTrainer(self._engine, asked, QUICK)

    def left(self) -> int:
        return len(self._engine.find({LABEL_RUN: self._run})) - 1


@pytest.fixture(
    scope="module", params=["fake", pytest.param("container", marks=pytest.mark.engine)]
)
def workshop(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, run_id: str
) -> Iterator[Workshop]:
    home = tmp_path_factory.mktemp("workshop")
    if request.param == "fake":
        yield FakeWorkshop(home)
        return
    engine = request.getfixturevalue("engine")
    image = request.getfixturevalue("python_image")
    with pytest.MonkeyPatch.context() as patch:
        stepping.let_in(patch)
        made = ContainerWorkshop(home, engine, f"{run_id}-contract", image)
        yield made
        made.shared.close()
        assert made.left() == -1


@pytest.fixture
def trainer(workshop: Workshop) -> Trainer:
    return workshop.shared


@pytest.fixture
def fresh(workshop: Workshop) -> Iterator[Trainer]:
    made = workshop.make()
    made.start()
    yield made
    made.close()


# --- what comes of a trial ---------------------------------------------------------------------


def test_start_gives_the_fingerprints_of_declared_data(trainer: Trainer) -> None:
    assert trainer.start() == {}


def test_a_trial_has_its_value_its_epochs_and_its_files(
    trainer: Trainer, workshop: Workshop
) -> None:
    watcher = Watcher()
    result = trainer.train(spec(0), watcher)
    assert (result.number, result.state, result.failure) == (0, TrialState.COMPLETE, None)
    assert (result.values, result.seed) == (spec(0).values, 7)
    assert result.measurement is not None
    assert (result.measurement.metric, result.measurement.value) == ("accuracy", 0.9)
    assert result.measurement.role.is_evidence and result.measurement.source
    assert result.measurement in result.measurements
    assert result.seconds > 0 and result.versions["python"]
    assert [epoch.number for epoch in result.epochs] == [1, 2, 3]
    assert watcher.epochs == [(0, epoch, 3) for epoch in result.epochs]
    assert result.epochs[-1].metrics["val_accuracy"] == pytest.approx(0.9)
    assert "epoch 3" in watcher.text
    folder = workshop.trials / "0"
    assert (folder / "log.txt").read_text() == watcher.text
    (artifact,) = result.artifacts
    content = (folder / artifact.path).read_bytes()
    assert artifact.size == len(content) > 0
    assert artifact.sha256 == f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_values_decide_and_nothing_else(trainer: Trainer) -> None:
    first, same, other = (
        trainer.train(spec(number, value), Watcher())
        for number, value in ((10, 0.5), (11, 0.5), (12, 0.625))
    )
    assert (first.value, same.value, other.value) == (0.5, 0.5, 0.625)
    assert first.artifacts[0].sha256 == same.artifacts[0].sha256 != other.artifacts[0].sha256


def test_a_trial_that_fails_is_a_result_and_the_next_one_is_none_the_worse(
    trainer: Trainer,
) -> None:
    result = trainer.train(spec(20, raises=True), Watcher())
    assert (result.state, result.value) == (TrialState.FAILED, None)
    assert result.failure is not None and result.failure.cause is Cause.USER_ERROR
    assert "ValueError: no such data" in result.failure.message
    assert result.failure.file == "train.py" and result.failure.line
    assert trainer.train(spec(21), Watcher()).state is TrialState.COMPLETE


def test_a_metric_that_is_no_number_is_a_bad_trial(trainer: Trainer) -> None:
    result = trainer.train(spec(30, math.nan), Watcher())
    assert result.state is TrialState.FAILED
    assert result.failure is not None and result.failure.cause is Cause.NOT_A_NUMBER


def test_the_watcher_ends_a_trial_early(trainer: Trainer) -> None:
    watcher = Watcher(prune=lambda number: number == 1)
    began = time.monotonic()
    result = trainer.train(spec(40, waits=True), watcher)
    assert time.monotonic() - began < GRACE
    assert (result.state, result.failure) == (TrialState.PRUNED, None)
    assert len(result.epochs) == 1 and not result.artifacts
    assert trainer.train(spec(41), Watcher()).state is TrialState.COMPLETE


# --- its end -----------------------------------------------------------------------------------


def test_stop_ends_the_trial_under_way_from_another_thread(fresh: Trainer) -> None:
    watcher = Watcher()
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(fresh.train, spec(50, waits=True), watcher)
        assert watcher.began.wait(60)
        began = time.monotonic()
        fresh.stop()
        result = future.result()
    assert time.monotonic() - began < GRACE
    assert (result.state, result.failure) == (TrialState.STOPPED, None)


def test_after_stop_nothing_is_trained(fresh: Trainer) -> None:
    fresh.stop()
    fresh.stop()
    watcher = Watcher()
    result = fresh.train(spec(51), watcher)
    assert (result.state, result.value, result.failure) == (TrialState.STOPPED, None, None)
    assert not watcher.began.is_set()


@pytest.mark.parametrize("last", ["start", "train", "stop"])
def test_close_leaves_nothing(workshop: Workshop, last: str) -> None:
    made = workshop.make()
    steps: dict[str, Callable[[], object]] = {
        "start": made.start,
        "train": lambda: made.train(spec(60), Watcher()),
        "stop": made.stop,
    }
    for name, step in steps.items():
        step()
        if name == last:
            break
    made.close()
    made.close()
    assert workshop.left() == 0


def test_close_before_start_is_no_error(workshop: Workshop) -> None:
    workshop.make().close()
    assert workshop.left() == 0


def test_close_from_another_thread_ends_a_start(workshop: Workshop) -> None:
    made = workshop.make()
    starting = threading.Thread(target=made.start)
    starting.start()
    made.close()
    starting.join(60)
    assert not starting.is_alive()
    made.close()
    assert workshop.left() == 0


def test_a_framework_that_cannot_be_imported_ends_the_start(workshop: Workshop) -> None:
    made = workshop.make_broken()
    with pytest.raises(TrainingError, match="keras"):
        made.start()
    made.close()
    assert workshop.left() == 0
