"""What `pushtrain clean` removes: a pure plan from what is there, and its execution.

The policy, with `[keep]` of config.toml: a run goes when it has its verdict, is not among the
newest `runs` of its repository, and is older than `days`; what a run left that died before it
began goes after a day. A container goes when its run is known here and nobody works on it. An
image goes when it is older than `days` and no run that stays was trained in it.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pushtrain.entities import ImagePlan
from pushtrain.errors import JournalError, PushtrainError
from pushtrain.interfaces import LABEL_RUN, Engine, ImageStore, SandboxState
from pushtrain.record import RunRecord
from pushtrain.settings import KeepSettings
from pushtrain.store import RunFolder, Store

DAY = 86400.0


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run as the cleaning sees it; `record` is None where its journal is damaged."""

    folder: RunFolder
    record: RunRecord | None
    is_driven: bool


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

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.runs or self.containers or self.images)


def plan(
    runs: Sequence[StoredRun],
    containers: Iterable[SandboxState],
    images: Iterable[StoredImage],
    keep: KeepSettings,
    now: float,
    *,
    half_made: Iterable[RunFolder] = (),
    layers_of: Callable[[ImagePlan], Iterable[str]] = lambda plan: (plan.tag,),
) -> Cleaning:
    """What the policy removes.

    Args:
        runs: all runs, the newest first.
        containers: all containers with our labels, whoever they belong to.
        images: all images with our labels.
        keep: the policy's numbers.
        now: Unix time.
        half_made: what is left of runs that died before they began.
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
        (*(run.folder for run in old), *half_made),
        tuple(each for each in containers if each.labels.get(LABEL_RUN) in idle),
        tuple(i for i in images if i.created < now - keep.days * DAY and i.tag not in used),
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


def stored_runs(store: Store) -> tuple[StoredRun, ...]:
    """All runs of a store, the newest first."""
    return tuple(StoredRun(f, _record(f), f.is_driven) for f in store.folders())


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
    for image in cleaning.images:
        try:
            images.remove(image.tag or image.id)
        except PushtrainError as error:
            if error.exit_code == 4:
                raise
            problems.append(str(error))
    for folder in cleaning.runs:
        try:
            with folder.driving() as is_free:
                if is_free:
                    shutil.rmtree(folder.path)
                else:
                    problems.append(f"run {folder.id} is worked on again; it stays")
        except FileNotFoundError:
            continue  # somebody else removes it
        except OSError as error:
            problems.append(f"{folder.path} cannot be removed: {error}")
    return tuple(problems)


def _record(folder: RunFolder) -> RunRecord | None:
    try:
        return folder.record()
    except JournalError:
        return None
