"""A workshop without an engine: real detection, knobs, search and publication, trained in no time.

It is the real `Assembly` but for what needs Docker: the engine, the images, and the trainers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fakes.engine import FakeEngine
from fakes.image_store import FakeImageStore
from fakes.trainer import FakeTrainer, Score
from pushtrain.assembly import Assembly
from pushtrain.cli.following import Driver
from pushtrain.entities import Detection, Image, ImagePlan, KnobValues
from pushtrain.permissions import Grant
from pushtrain.run import Drive, Progress
from pushtrain.settings import ImageSettings, OperatorSettings, RelaunchSettings, RepositorySettings
from pushtrain.store import LiveRun, RunFolder, Store


def more_is_better(values: KnobValues, seed: int) -> float:
    """For support.repositories.FOREST: 0.7 as pushed (10 trees of depth 4), more with both."""
    trees, depth = float(values.get("n_estimators", 10)), float(values.get("max_depth", 4))
    return min(0.7 + (trees - 10) / 400 + (depth - 4) / 40, 1.0)


class DriverThread(threading.Thread):
    """A driver."""

    def __init__(self, drive: Callable[[RunFolder], None], folder: RunFolder) -> None:
        super().__init__(target=drive, args=(folder,), daemon=True)

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self.is_alive()


AT_ONCE = OperatorSettings(relaunch=RelaunchSettings(longest_pause=0))
"""Another attempt follows without a pause."""


class FakeWorkshop(Assembly):
    """Implements `pushtrain.run.Workshop`.

    Args:
        home: PUSHTRAIN_HOME.
        score: the metric, from the knob values and the seed.
        operator: this machine's settings.
        build: what the build of the image says or raises, line by line.
        trainer: options of every FakeTrainer.
        before_epoch: called by each trainer before each epoch, with itself, trial and epoch.
        publishes: whether finished runs are really published, which draws pictures.
    """

    def __init__(
        self,
        home: Path,
        score: Score = more_is_better,
        *,
        operator: OperatorSettings | None = None,
        build: tuple[str | BaseException, ...] = (),
        trainer: dict[str, Any] | None = None,
        before_epoch: Callable[[FakeTrainer, int, int], None] = lambda trainer, trial, epoch: None,
        publishes: bool = False,
    ) -> None:
        super().__init__(Store(home), operator or AT_ONCE)
        self.score, self.build, self.options = score, build, trainer or {}
        self.before_epoch, self.publishes = before_epoch, publishes
        self.trainers: list[FakeTrainer] = []
        self.drivers: list[DriverThread] = []
        self.grants: list[Grant] = []
        self.live: LiveRun
        """The run that a test drives, for its `before_epoch`."""
        self.published: list[str] = []
        """The ids of the runs that were published, in order."""
        self.__dict__["engine"] = FakeEngine()
        self.__dict__["image_store"] = FakeImageStore()

    @contextmanager
    def start_driver(self, folder: RunFolder) -> Iterator[Driver]:
        """A thread that drives the run; it may go on when nobody watches it any more."""
        driver = DriverThread(self._drive, folder)
        self.drivers.append(driver)
        driver.start()
        yield driver

    def _drive(self, folder: RunFolder) -> None:
        with folder.driving() as lease:
            if lease is not None:
                Drive(LiveRun(folder, lease=lease), self, lambda line: None).to_verdict()

    def plan_image(self, detection: Detection, settings: ImageSettings, root: Path) -> ImagePlan:
        """An image named after what is trained."""
        name = f"pushtrain/{detection.framework}-{detection.family}:1"
        return ImagePlan(name, ("base", detection.framework), (), "/usr/bin/python3", (), ())

    def build_image(self, plan: ImagePlan, on_line: Progress) -> Image:
        """Says and raises what it was told to."""
        for line in self.build:
            if isinstance(line, BaseException):
                raise line
            on_line(line)
        return Image(plan, "sha256:" + "1" * 64, 1000)

    def trainer(
        self, live: LiveRun, settings: RepositorySettings, grant: Grant, index: int
    ) -> FakeTrainer:
        """A fake one, which is kept in `trainers`."""
        record = live.record
        assert record.objective is not None and record.image is not None
        self.grants.append(grant)
        made: list[FakeTrainer] = []
        trainer = FakeTrainer(
            live.folder.trials,
            record.objective,
            self.score,
            before_epoch=lambda trial, epoch: self.before_epoch(made[0], trial, epoch),
            **self.options,
        )
        made.append(trainer)
        self.trainers.append(trainer)
        return trainer

    def publish(self, live: LiveRun) -> None:
        """Keeps the run's id."""
        if self.publishes:
            super().publish(live)
        self.published.append(live.id)

    @property
    def trained(self) -> list[int]:
        """The numbers of the trials that were taken on, in order."""
        return [spec.number for trainer in self.trainers for spec in trainer.trained]
