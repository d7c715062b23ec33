"""The spine: one push, worked on from wherever its journal stands to its verdict.

    push -> source -> detection -> image -> study [ trial -> attempt -> result ]* -> verdict

Every step reads what the journal says and writes what it did, so that a run whose driver died is
driven on by calling `drive` again.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, TypeVar

from pushtrain import __version__
from pushtrain.attempts import Means
from pushtrain.conclusion import judge, judge_error
from pushtrain.detect import detect
from pushtrain.detect.distributions import distribution
from pushtrain.durability import bring_to_disk
from pushtrain.entities import (
    Budget,
    Detection,
    Image,
    ImagePlan,
    Push,
    RunState,
    Verdict,
    Wishes,
)
from pushtrain.errors import (
    DetectionError,
    ImageError,
    JournalError,
    LeaseLost,
    PushtrainError,
    Stopped,
)
from pushtrain.events import (
    ImageReady,
    Judged,
    KnobsFound,
    Planned,
    Published,
    Reopened,
    Replanned,
    RunStarted,
    StateChanged,
    StopRequested,
    Warned,
)
from pushtrain.interfaces import Searcher, Trainer
from pushtrain.objective import settle
from pushtrain.permissions import Grant
from pushtrain.record import RunRecord
from pushtrain.relaunch import Policy
from pushtrain.settings import BudgetSettings, ImageSettings, RepositorySettings, load_repository
from pushtrain.source import checkout, pushed
from pushtrain.store import LiveRun, Observer, RunFolder, Store
from pushtrain.training import Ending, Study, Training

_log = logging.getLogger(__name__)

_T = TypeVar("_T")

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Request:
    """What to train: a repository (Git URL, path or plain directory), and the caller's wishes.

    Attributes:
        repository: as given.
        revision: branch, tag or commit; None for the branch's or repository's head.
        branch: the watched branch that was pushed; a newer push of it supersedes this run.
        is_pushed: the repository is a clone that a build server made of a push: the run is of
            its HEAD, repository and branch are its origin's, and its settings are a stranger's.
        wishes: what the caller asked for over what the settings say.
    """

    repository: str
    revision: str | None = None
    branch: str | None = None
    is_pushed: bool = False
    wishes: Wishes = field(default_factory=Wishes)


class Workshop(Protocol):
    """Makes the parts that a run needs, from the settings and from what this machine has.

    Methods are called in this order, each at most once per drive, but `trainer` once per worker
    (from the worker's own thread) and `publish` also for runs that never got that far.
    """

    def plan_image(self, detection: Detection, settings: ImageSettings, root: Path) -> ImagePlan:
        """Picks the image; raises SettingsError, ImageError."""

    def permit(self, push: Push, settings: RepositorySettings, wishes: Wishes) -> Grant:
        """What the containers may have; raises SettingsError, EngineUnreachable."""

    def policy(self, grant: Grant) -> Policy:
        """What follows failed attempts."""

    def build_image(self, plan: ImagePlan, on_line: Progress) -> Image:
        """The image of a plan, built if need be; raises ImageError, EngineUnreachable."""

    def searcher(self, record: RunRecord) -> Searcher:
        """The search of this run, going on from what this run and those before it learnt."""

    def trainer(
        self, live: LiveRun, settings: RepositorySettings, grant: Grant, index: int
    ) -> Trainer:
        """The trainer of worker number `index`."""

    def clear(self, live: LiveRun) -> None:
        """Removes what an ended run has on the engine; raises only LeaseLost, JournalError."""

    def publish(self, live: LiveRun) -> None:
        """Writes model, patch, manifest and report, and tells people.

        Raises only LeaseLost, and PublicationError where it is to be done again."""


def begin(
    request: Request,
    store: Store,
    observers: tuple[Observer, ...] = (),
    progress: Progress = print,
    *,
    key: str | None = None,
) -> LiveRun:
    """A new run for a push: its tree checked out, its first event written, older runs of the
    same lane asked to stop.

    Args:
        request: what to train.
        store: the runs.
        observers: hear of the run's events.
        progress: gets lines for people.
        key: by which the run is to be found; the caller holds its lock.

    Raises:
        SourceError: the repository or revision cannot be read; no run is left behind.
        JournalError: the disk refuses.
    """
    folder = store.create(f"{request.repository}\0{request.revision}\0{request.branch}")
    with folder.driving():  # so that a folder whose run never began is known by its lease
        try:
            if key is not None:  # before the run begins: one that exists is always found
                store.give_key(folder, key)
            return _begun(folder, request, store, observers, progress)
        except BaseException:
            if not folder.has_begun:
                shutil.rmtree(folder.path, ignore_errors=True)
            raise


def _begun(
    folder: RunFolder,
    request: Request,
    store: Store,
    observers: tuple[Observer, ...],
    progress: Progress,
) -> LiveRun:
    source = checkout(
        request.repository,
        _revision(request),
        folder.source,
        cache=store.home / "repositories",
        branch=request.branch,
        progress=progress,
    )
    push = source.push
    if request.branch is not None:  # whoever may push there is not who owns the directory
        push = replace(push, is_own_directory=False)
    if request.is_pushed:
        push = pushed(push, request.repository)
    bring_source_to_disk(folder)
    live = LiveRun(folder, observers)
    lane = hashlib.sha256(repr(_lane(push, request.wishes)).encode()).hexdigest()
    with store.lock(f"lane-{lane[:16]}"):
        live.append(RunStarted(push, source.data_fingerprint, __version__, request.wishes))
        if request.branch is not None or request.wishes.lane is not None:
            _supersede(store, live)
    for warning in source.warnings:
        live.append(Warned(warning))
    return live


def bring_source_to_disk(folder: RunFolder) -> None:
    """Before the journal says that a run has begun; raises JournalError."""
    try:
        bring_to_disk(folder.path)
    except OSError as error:
        raise JournalError(
            f"{folder.source} cannot be written: {error}",
            hint="make room on that disk and start the command again",
        ) from error


def begin_once(
    request: Request,
    key: str,
    store: Store,
    observers: tuple[Observer, ...] = (),
    progress: Progress = print,
) -> RunFolder:
    """The run with this key; begun now where there is none, so that a step that is started again
    goes on with what it began. Errors as `begin`."""
    with store.key_lock(key):
        found = store.by_key(key)
        if found is not None:
            return found
        return begin(request, store, observers, progress, key=key).folder


def _revision(request: Request) -> str | None:
    if request.revision is not None:
        return request.revision
    if request.is_pushed:
        return "HEAD"
    return f"refs/heads/{request.branch}" if request.branch else None


def _supersede(store: Store, live: LiveRun) -> None:
    """Leaves the newest run of a lane at work: older ones are asked to stop, and so is this one
    where a newer push overtook it."""
    push = live.record.push
    assert push is not None
    lane = _lane(push, live.record.wishes)
    is_newer = True
    for folder in store.folders():
        if folder.id == live.id:
            is_newer = False
            continue
        try:
            other = folder.record()
            if other.push is None or _lane(other.push, other.wishes) != lane:
                continue
            if is_newer:
                reason = f"superseded by {other.push.short}"
                live.append(StopRequested(reason, superseded_by=other.id))
                return
            if other.verdict is None and other.stop is None:
                reason = f"superseded by {push.short}"
                LiveRun(folder).append(StopRequested(reason, superseded_by=live.id))
        except JournalError as error:
            _log.warning("run %s is passed over: %s", folder.id, error)


def _lane(push: Push, wishes: Wishes) -> tuple[str, str | None, str | None]:
    """What only one run works on at a time."""
    return (push.repository, wishes.lane, push.branch if wishes.lane is None else None)


class Drive:
    """Drives one run to its verdict, from wherever its journal stands.

    Args:
        live: the run, with its lease.
        workshop: makes the parts.
        progress: gets lines for people while something takes long.
    """

    def __init__(self, live: LiveRun, workshop: Workshop, progress: Progress = print) -> None:
        self._live = live
        self._workshop = workshop
        self._progress = progress
        self._training: Training | None = None

    def to_verdict(self) -> Verdict:
        """Works until the verdict stands in the journal and everything is published.

        Errors that pushtrain knows end the run with a verdict of their own; anything else is a
        defect: the verdict says so and the traceback goes to the log.

        Raises:
            LeaseLost: another process drives the run now; nothing more was done.
            PublicationError: the verdict stands, and is not published; the monitor sees to it.
            JournalError: the journal itself cannot be written.
        """
        try:
            if self._live.record.verdict is None:
                self._live.append(Judged(self._judged()))
            if not self._live.record.is_published:
                self._publish()
        finally:
            if self._training is not None:
                self._training.close()
        verdict = self._live.record.verdict
        assert verdict is not None
        return verdict

    def _publish(self) -> None:
        """Publishes; what is left on the engine is removed meanwhile, which takes as long."""
        with ThreadPoolExecutor(1, thread_name_prefix="clearing") as beside:
            cleared = beside.submit(self._clear)
            self._workshop.publish(self._live)
        cleared.result()
        self._live.append(Published())

    def _clear(self) -> None:
        if self._training is not None:
            self._training.close()
        verdict = self._live.record.verdict
        if verdict is not None and not verdict.goes_on:
            self._workshop.clear(self._live)

    def _judged(self) -> Verdict:
        try:
            ending = self._work()
        except KeyboardInterrupt:
            self._live.append(StopRequested("stopped by hand"))
            ending = Ending(RunState.STOPPED)
        except Stopped:
            ending = self._stopped()
        except (LeaseLost, JournalError):
            raise  # without a journal there is no verdict: whoever has room again goes on
        except PushtrainError as error:
            return judge_error(self._live.record, error, time.time())
        except Exception as error:
            _log.exception("run %s: unexpected error", self._live.id)
            defect = PushtrainError(
                f"unexpected {type(error).__name__}: {error}",
                hint="this is a defect of pushtrain; report it with the traceback from its log",
            )
            return judge_error(self._live.record, defect, time.time())
        return judge(self._live.record, ending, time.time())

    def _work(self) -> Ending:
        live, workshop = self._live, self._workshop
        self._heed_stop("stopped before it began")
        settings = load_repository(live.folder.source)
        if live.record.plan is None:
            live.append(self._plan(settings))
        record = live.record
        assert record.push is not None and record.plan is not None
        grant = workshop.permit(record.push, settings, record.wishes)
        policy = workshop.policy(grant)
        # A build takes minutes: what is wrong with [knobs] is told before.
        self._ensure_planned(record, before_build=lambda: self._find_knobs(settings))
        live.append(StateChanged(RunState.TRAINING))
        training = self._training = Training(
            live,
            lambda: self._study(settings),
            Means(
                lambda index: workshop.trainer(
                    live, settings, replace(grant, limits=policy.limits(live.record)), index
                ),
                policy,
                _Images(self, settings.image),
            ),
            _countdown(live.record),
        )
        ending = self._already_met() or training.until_met()
        winner = live.record.best
        if ending.state is RunState.MET and winner is not None:
            count = _first(record.wishes.confirm, settings.objective.confirm)
            try:
                training.confirm(winner, [record.seed + 1 + i for i in range(count)])
            except PushtrainError as error:  # the target is met all the same
                live.append(Warned(f"the winner could not be confirmed: {error}"))
        return ending

    def _plan(self, settings: RepositorySettings) -> Planned:
        root, wishes = self._live.folder.source, self._live.record.wishes
        detection = detect(root, settings.train)
        if not detection.trains:
            raise DetectionError(
                f"{detection.entry} trains nothing that pushtrain knows",
                hint="`pushtrain detect` shows what was read; [train] entry names another script",
            )
        objective = settle(
            detection,
            settings.objective,
            metric=wishes.metric,
            target=wishes.target,
            direction=wishes.direction,
        )
        return Planned(
            detection,
            objective,
            _budget(settings.budget, wishes),
            self._workshop.plan_image(detection, settings.image, root),
        )

    def _study(self, settings: RepositorySettings) -> Study:
        """What is tried; the first worker imports its framework meanwhile."""
        # Imported here, where it takes no time of anyone's.
        from pushtrain.knobs import SourceRewriter  # noqa: PLC0415

        self._find_knobs(settings)
        record = self._live.record
        rewriter = SourceRewriter(self._live.folder.source, record.knobs)
        return Study(self._workshop.searcher(record), rewriter)

    def _find_knobs(self, settings: RepositorySettings) -> None:
        """Notes the knobs, where that has not been done; raises KnobError, SourceError."""
        from pushtrain.knobs import find_knobs  # noqa: PLC0415

        record, source = self._live.record, self._live.folder.source
        assert record.detection is not None
        if not record.knobs:
            self._live.append(KnobsFound(find_knobs(source, record.detection, settings.knobs)))

    def _ensure_image(
        self, plan: ImagePlan, before_build: Callable[[], None] = lambda: None
    ) -> None:
        self._live.append(StateChanged(RunState.BUILDING))
        started = time.monotonic()
        lines = 0

        def on_line(line: str) -> None:
            nonlocal lines
            lines += 1
            if lines == 1:
                before_build()
            self._heed_stop("stopped while the image was built")
            with self._live.folder.build_log.open("a", encoding="utf-8") as log:
                log.write(f"{line}\n")
            self._say(line)

        image = self._workshop.build_image(plan, on_line)
        self._live.append(ImageReady(image, lines > 0, time.monotonic() - started))

    def _ensure_planned(self, record: RunRecord, before_build: Callable[[], None]) -> None:
        """The image of the plan; where a module was added that cannot be had, the one before."""
        assert record.plan is not None and record.first_plan is not None
        try:
            self._ensure_image(record.plan, before_build)
        except ImageError:
            if record.plan == record.first_plan:
                raise
            self._live.append(Replanned(record.first_plan, "what was added cannot be had"))
            self._ensure_image(record.first_plan, before_build)

    def make_image(self, settings: ImageSettings, module: str) -> None:
        """Makes the image again, with what brings `module`; see `attempts.Remedies`."""
        live, record = self._live, self._live.record
        assert record.plan is not None and record.detection is not None
        plan = record.plan
        if module:
            packages = (*settings.packages, *map(distribution, record.missing_modules))
            wider = settings.model_copy(update={"packages": packages})
            plan = self._workshop.plan_image(record.detection, wider, live.folder.source)
        if plan != record.plan:  # said before the build, in which a driver may die
            live.append(Replanned(plan, f"the script imports {module}"))
        try:
            self._ensure_image(plan)
        except ImageError:
            if plan != record.plan:
                live.append(Replanned(record.plan, f"{module} cannot be had"))
            raise
        live.append(StateChanged(RunState.TRAINING))

    def _already_met(self) -> Ending | None:
        """A run whose driver died after the winning trial has nothing left to search."""
        best, objective = self._live.record.best, self._live.record.objective
        if best is not None and objective is not None and objective.is_met(best.value):
            return Ending(RunState.MET)
        return None

    def _heed_stop(self, message: str) -> None:
        if self._live.refresh().stop is not None:
            raise Stopped(message)

    def _say(self, line: str) -> None:
        try:
            self._progress(line)
        except OSError as error:  # the reader went away; the run does not
            _log.warning("run %s: nobody hears its progress: %s", self._live.id, error)
            self._progress = _log.info

    def _stopped(self) -> Ending:
        stop = self._live.record.stop
        superseded = stop is not None and stop.superseded_by is not None
        return Ending(RunState.SUPERSEDED if superseded else RunState.STOPPED)


class _Images:
    """Makes images for `Attempts`, one at a time."""

    def __init__(self, drive: Drive, settings: ImageSettings) -> None:
        self._drive = drive
        self._settings = settings
        self._lock = threading.Lock()

    def make_image(self, module: str) -> None:
        with self._lock:
            self._drive.make_image(self._settings, module)


def _budget(settings: BudgetSettings, wishes: Wishes) -> Budget:
    return Budget(
        _first(wishes.trials, settings.trials),
        _first(wishes.seconds, settings.time),
        _first(wishes.trial_seconds, settings.trial_time),
    )


def _first(wish: _T | None, setting: _T) -> _T:
    return setting if wish is None else wish


def _countdown(record: RunRecord) -> Callable[[], float]:
    """Seconds of training that the budget still allows; builds and pauses do not count."""
    assert record.budget is not None
    spent = record.seconds_trained / record.wishes.parallel
    end = time.monotonic() + record.budget.seconds - spent
    return lambda: end - time.monotonic()


def reopen(live: LiveRun) -> bool:
    """Lets a run go on that has its verdict; False where there is nothing to go on with.

    Args:
        live: the run, with its lease.
    """
    verdict = live.record.verdict
    if verdict is None or not verdict.goes_on:
        return False
    live.append(Reopened())
    return True


def request_stop(folder: RunFolder, reason: str, superseded_by: str | None = None) -> bool:
    """Asks a run to stop; False when it already has its verdict.

    Args:
        folder: the run.
        reason: why, for people.
        superseded_by: the run of a newer push; empty where that has not begun yet, None where
            there is none.
    """
    live = LiveRun(folder)
    if live.record.verdict is not None:
        return False
    if live.record.stop is None:
        live.append(StopRequested(reason, superseded_by))
    return True
