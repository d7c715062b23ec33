"""What `pushtrain clean` removes: a pure plan from what is there, and its execution.

The policy, with `[keep]` of config.toml: a run goes when it has its verdict, is not among the
newest `runs` of its repository, and is older than `days`, with the checkpoints that it left; what
a run left that died before it began goes, too. A container goes when its run is known here and
nobody works on it. An image goes when it is older than `days` and no run that stays was trained in
it.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pushtrain.entities import ImagePlan
from pushtrain.errors import PushtrainError, Unreachable
from pushtrain.interfaces import LABEL_RUN, Engine, ImageStore, SandboxState, VolumeState
from pushtrain.inventory import DAY, StoredRun
from pushtrain.settings import KeepSettings
from pushtrain.store import RunFolder


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An image of ours: `created` is Unix time."""

    id: str
    tag: str
    size: int
    created: float


@dataclass(frozen=True, slots=True)
class Cleaning:
    """What is to be removed."""

    runs: tuple[RunFolder, ...]
    containers: tuple[SandboxState, ...]
    images: tuple[StoredImage, ...]
    volumes: tuple[VolumeState, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.runs or self.containers or self.images or self.volumes)


def plan(
    runs: Sequence[StoredRun],
    containers: Iterable[SandboxState],
    images: Iterable[StoredImage],
    keep: KeepSettings,
    now: float,
    *,
    volumes: Iterable[VolumeState] = (),
    never_begun: Iterable[RunFolder] = (),
    layers_of: Callable[[ImagePlan], Iterable[str]] = lambda plan: (plan.tag,),
) -> Cleaning:
    """What the policy removes.

    Args:
        runs: all runs, the newest first.
        containers: all containers with our labels, whoever they belong to.
        images: all images with our labels.
        keep: the policy's numbers.
        now: Unix time.
        volumes: all checkpoints' volumes with our labels.
        never_begun: what is left of runs that died before they began.
        layers_of: the tags of all images that the image of a plan stands on, and its own.
    """
    old = _old_runs(runs, keep, now)
    gone = {run.folder.id for run in old}
    idle = {run.folder.id for run in runs if not run.is_driven}
    used = {
        tag
        for run in runs
        if run.folder.id not in gone and run.record is not None and run.record.plan is not None
        for tag in layers_of(run.record.plan)
    }
    return Cleaning(
        (*(run.folder for run in old), *never_begun),
        tuple(each for each in containers if each.labels.get(LABEL_RUN) in idle),
        tuple(i for i in images if i.created < now - keep.days * DAY and i.tag not in used),
        tuple(each for each in volumes if each.labels.get(LABEL_RUN) in gone),
    )


def _old_runs(runs: Sequence[StoredRun], keep: KeepSettings, now: float) -> list[StoredRun]:
    seen: dict[str, int] = defaultdict(int)
    old = []
    for run in runs:
        record = run.record
        if record is None or record.verdict is None or run.is_driven:
            continue
        repository = record.push.repository if record.push else ""
        seen[repository] += 1
        if seen[repository] > keep.runs and record.updated < now - keep.days * DAY:
            old.append(run)
    return old


def stored_images(images: ImageStore) -> tuple[StoredImage, ...]:
    """All images of ours on the engine; raises EngineUnreachable."""
    return tuple(StoredImage(*facts) for facts in images.list())


def execute(cleaning: Cleaning, engine: Engine, images: ImageStore) -> tuple[str, ...]:
    """Removes what is planned; gives what could not be removed and why.

    Raises:
        EngineUnreachable: the engine does not answer; the same plan can be tried again.
    """
    problems = []
    for container in cleaning.containers:
        engine.remove(container.id)
    removals = [
        *((engine.remove_volume, volume.name) for volume in cleaning.volumes),
        *((images.remove, image.tag or image.id) for image in cleaning.images),
    ]
    for remove, name in removals:
        try:
            remove(name)
        except Unreachable:
            raise
        except PushtrainError as error:
            problems.append(str(error))
    for folder in cleaning.runs:
        try:
            with folder.driving() as lease:
                if lease is not None:
                    shutil.rmtree(folder.path)
                else:
                    problems.append(f"run {folder.id} is worked on again; it stays")
        except FileNotFoundError:
            continue  # somebody else removes it
        except (PushtrainError, OSError) as error:
            problems.append(f"{folder.path} cannot be removed: {error}")
    return tuple(problems)
