"""Training once more from a manifest alone, to see whether the same metric comes out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from pushtrain import __version__
from pushtrain.detect import detect
from pushtrain.entities import (
    Budget,
    Detection,
    Epoch,
    ImagePlan,
    Knob,
    RunState,
    TrialResult,
    TrialSpec,
    Verdict,
    Wishes,
)
from pushtrain.errors import LeaseLost, UsageError
from pushtrain.events import (
    DataRead,
    EpochEnded,
    ImageReady,
    Judged,
    KnobsFound,
    Planned,
    Published,
    RunStarted,
    StateChanged,
    TrialEnded,
    TrialStarted,
    Warned,
)
from pushtrain.interfaces import TrialWatcher
from pushtrain.knobs import SourceRewriter, find_knobs
from pushtrain.manifest import Manifest, sha256
from pushtrain.permissions import Grant
from pushtrain.run import Progress, Workshop, bring_source_to_disk
from pushtrain.settings import load_repository
from pushtrain.source import checkout
from pushtrain.store import LiveRun, Observer, Store

ORIGIN = "reproduction"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of it, beside what the manifest says.

    Attributes:
        result: the training of now.
        expected: the metric's value of then.
        same_image: whether the image has the same id.
        same_files: path -> whether the file has the same content as then.
    """

    result: TrialResult
    expected: float
    same_image: bool
    same_files: Mapping[str, bool]

    @property
    def is_same(self) -> bool:
        """Whether the metric came out the same, to the last digit."""
        return self.result.value == self.expected


def reproduce(
    manifest: Manifest,
    store: Store,
    workshop: Workshop,
    observers: tuple[Observer, ...] = (),
    progress: Progress = print,
) -> tuple[LiveRun, Comparison]:
    """Trains a manifest's winning trial again, as a run of its own that nobody is told of.

    Raises:
        UsageError: what the manifest names has changed since (commit, data, entry, knobs).
        SourceError, SettingsError, ImageError, TrainingError, SandboxError, EngineUnreachable:
            as `pushtrain run`.
    """
    if manifest.trial.metric is None:
        raise UsageError(
            f"run {manifest.run} measured nothing that could be compared", hint="choose another"
        )
    again = _Again(manifest, store, workshop, progress)
    folder = store.create(f"reproduce\0{manifest.run}")
    with folder.driving() as lease:
        live = LiveRun(folder, observers, lease=lease)
        again.begin(live)
        try:
            comparison = again.compare(live)
        except LeaseLost:
            raise
        except BaseException as error:
            _conclude(live, _verdict(live, manifest, None, str(error)))
            raise
        _conclude(live, _verdict(live, manifest, comparison, ""))
    return live, comparison


def _conclude(live: LiveRun, verdict: Verdict) -> None:
    live.append(Judged(verdict))
    live.append(Published())


class _Again:
    def __init__(
        self, manifest: Manifest, store: Store, workshop: Workshop, progress: Progress
    ) -> None:
        self._manifest = manifest
        self._store = store
        self._workshop = workshop
        self._progress = progress

    def begin(self, live: LiveRun) -> None:
        wanted = self._manifest.source
        source = checkout(
            wanted.repository,
            None if wanted.commit.startswith("sha256:") else wanted.commit,
            live.folder.source,
            cache=self._store.home / "repositories",
            branch=wanted.branch,
            progress=self._progress,
        )
        _same(f"{wanted.repository}: its content", wanted.commit, source.push.commit)
        _same("the data in the tree", self._manifest.data.fingerprint, source.data_fingerprint)
        wishes = Wishes(seed=self._manifest.trial.seed, trials=1)
        of = self._manifest.run
        bring_source_to_disk(live.folder)
        live.append(RunStarted(source.push, source.data_fingerprint, __version__, wishes, of))
        for warning in source.warnings:
            live.append(Warned(warning))

    def compare(self, live: LiveRun) -> Comparison:
        manifest = self._manifest
        metric = manifest.trial.metric
        assert metric is not None
        root = live.folder.source
        settings = load_repository(root)
        detection = detect(root, settings.train)
        _same("the entry script", manifest.training.entry, detection.entry)
        knobs = find_knobs(root, detection, settings.knobs)
        spec = self._spec(root, knobs)
        live.append(self._planned(detection))
        live.append(KnobsFound(knobs))
        record = live.record
        assert record.push is not None and record.plan is not None
        grant = self._workshop.permit(record.push, settings, record.wishes)
        same_image = self._ready_image(live, record.plan)
        live.append(StateChanged(RunState.TRAINING))
        try:
            with closing(self._workshop.trainer(live, settings, grant, 0)) as trainer:
                self._check_data(live, trainer.start(), grant)
                live.append(TrialStarted(spec.number, dict(spec.values), spec.seed, ORIGIN))
                result = trainer.train(spec, _Watcher(live))
        finally:
            self._workshop.clear(live)
        live.append(TrialEnded(result))
        now = {artifact.path: artifact.sha256 for artifact in result.artifacts}
        same = {then.path: now.get(then.path) == then.sha256 for then in manifest.artifacts}
        return Comparison(result, metric.value, same_image, same)

    def _spec(self, root: Path, knobs: tuple[Knob, ...]) -> TrialSpec:
        manifest = self._manifest
        values = {name: knob.value for name, knob in manifest.knobs.items()}
        changed = SourceRewriter(root, knobs)(values) if manifest.changed else {}
        hashes = {path: sha256(content) for path, content in changed.items()}
        _same("the rewritten source", dict(manifest.changed), hashes)
        return TrialSpec(manifest.trial.number, values, manifest.trial.seed, changed)

    def _planned(self, detection: Detection) -> Planned:
        image = self._manifest.image
        plan = ImagePlan(
            tag=image.tag,
            layers=image.layers,
            extra=image.extra,
            python=image.python,
            preload=image.preload,
            reasons=(f"the image of run {self._manifest.run}",),
        )
        seconds = max(10 * self._manifest.trial.seconds, 600.0)
        budget = Budget(1, seconds, seconds)
        return Planned(detection, self._manifest.as_objective(), budget, plan)

    def _ready_image(self, live: LiveRun, plan: ImagePlan) -> bool:
        live.append(StateChanged(RunState.BUILDING))
        started = time.monotonic()
        image = self._workshop.build_image(plan, self._progress)
        live.append(ImageReady(image, False, time.monotonic() - started))
        is_same = image.id == self._manifest.image.id
        if not is_same:
            live.append(Warned("the image was built anew since; its content may differ"))
        return is_same

    def _check_data(self, live: LiveRun, found: Mapping[str, str], grant: Grant) -> None:
        if grant.mounts:
            live.append(DataRead(dict(found)))
        _same("the declared data", self._manifest.data.directories, dict(found))


class _Watcher(TrialWatcher):
    """Writes the epochs to the journal."""

    def __init__(self, live: LiveRun) -> None:
        self._append: Callable[[EpochEnded], object] = live.append

    def on_epoch(self, trial: int, epoch: Epoch, epochs: int | None) -> bool:
        self._append(EpochEnded(trial, epoch, epochs))
        return False

    def on_log(self, trial: int, text: str) -> None:
        pass

    def on_resumed(self, trial: int, attempt: int, epochs: int) -> None:
        pass

    def on_alive(self, trial: int, memory: int) -> None:
        pass


def _verdict(
    live: LiveRun, manifest: Manifest, comparison: Comparison | None, error: str
) -> Verdict:
    record = live.record
    result = comparison.result if comparison else None
    is_same = comparison is not None and comparison.is_same
    measured = result.measurement if result else None
    reason = error
    if result is not None and comparison is not None:
        found = result.failure.message if result.failure else f"{result.value}"
        same = "the same" if is_same else "not the same"
        reason = f"{found}, in run {manifest.run} it was {comparison.expected}: {same}"
    return Verdict(
        run=live.id,
        state=RunState.MET if is_same else RunState.FAILED,
        objective=record.objective,
        best=result.number if result and measured else None,
        value=measured.value if measured else None,
        source=f"{measured.source} ({measured.role})" if measured else None,
        trials=len(record.trials),
        image=record.plan.tag if record.plan else None,
        seconds=max(record.updated - record.started, 0.0),
        reason=reason,
        exit_code=0 if is_same else 1,
    )


def _same(what: str, then: object, now: object) -> None:
    if then != now:
        raise UsageError(
            f"{what} is not what it was: the manifest says {then}, now it is {now}",
            hint="a manifest can be reproduced only from the same commit, data and pushtrain",
        )
