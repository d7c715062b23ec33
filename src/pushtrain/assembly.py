"""The parts put together: the only module that names implementations."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pushtrain import permissions
from pushtrain.detached import Detached
from pushtrain.drivers import start_driver
from pushtrain.engine.connection import Connection
from pushtrain.engine.docker_engine import DockerEngine
from pushtrain.engine.docker_images import DockerImageStore
from pushtrain.entities import Detection, Image, ImagePlan, Push, Wishes
from pushtrain.errors import PushtrainError
from pushtrain.images import Catalog, ImageBuilder, Machine, Planner
from pushtrain.interfaces import Engine, EngineEvents, ImageStore, Searcher, Trainer
from pushtrain.permissions import Grant
from pushtrain.record import RunRecord
from pushtrain.relaunch import Policy
from pushtrain.run import Progress
from pushtrain.settings import (
    ImageSettings,
    OperatorSettings,
    RepositorySettings,
    home,
    load_operator,
)
from pushtrain.source import identity
from pushtrain.store import LiveRun, RunFolder, Store
from pushtrain.trial import ContainerTrainer, Job, remove_leftovers

if TYPE_CHECKING:
    from pushtrain.notify import Receipt
    from pushtrain.publication import Publication

_log = logging.getLogger(__name__)


class Assembly:
    """Everything that runs on this machine, made when it is first needed (a `run.Workshop`).

    Args:
        store: the runs.
        operator: this machine's settings.
    """

    def __init__(self, store: Store, operator: OperatorSettings) -> None:
        self.store = store
        self.operator = operator
        self._lock = threading.Lock()
        self._cleared: set[str] = set()

    @classmethod
    def from_environment(cls) -> Assembly:
        """What PUSHTRAIN_HOME and its config.toml say; raises SettingsError."""
        place = home()
        return cls(Store(place), load_operator(place))

    @cached_property
    def connection(self) -> Connection:
        """The way to the engine; raises SettingsError where DOCKER_HOST makes no sense."""
        return Connection.from_environment()

    @cached_property
    def engine(self) -> Engine:
        """The engine that trains."""
        return DockerEngine(self.connection)

    @cached_property
    def engine_events(self) -> EngineEvents:
        """What happens on that engine."""
        from pushtrain.engine.docker_events import DockerEvents  # noqa: PLC0415

        return DockerEvents(self.connection)

    @cached_property
    def image_store(self) -> ImageStore:
        """The images of that engine."""
        return DockerImageStore(self.connection)

    @cached_property
    def planner(self) -> Planner:
        """Picks images, from the catalog and what this machine gives; raises ImageError."""
        catalog = Catalog.load()
        return Planner(catalog, Machine.from_environment(catalog.pythons))

    @cached_property
    def publication(self) -> Publication:
        """Publishes finished runs."""
        # Imported here, as the search below: a run begins without it, and begins sooner.
        from pushtrain.publication import Publication  # noqa: PLC0415

        return Publication(self.store, self.operator, self._importances)

    def start_driver(self, folder: RunFolder) -> Detached:
        """Starts a process that drives a run, and outlives this one; see `start_driver`."""
        return start_driver(folder)

    # --- run.Workshop --------------------------------------------------------------------------

    def plan_image(self, detection: Detection, settings: ImageSettings, root: Path) -> ImagePlan:
        """Picks the image; raises SettingsError, ImageError."""
        return self.planner.plan(detection, settings, root)

    def build_image(self, plan: ImagePlan, on_line: Progress) -> Image:
        """The image of a plan, built if need be; raises ImageError, EngineUnreachable."""
        builder = ImageBuilder(self.image_store, self.planner, self.store.home / "locks")
        return builder.ensure(plan, on_line)

    def permit(self, push: Push, settings: RepositorySettings, wishes: Wishes) -> Grant:
        """What the containers may have; raises SettingsError, EngineUnreachable."""
        return permissions.grant(
            push,
            settings,
            self.operator,
            self.engine.facts(),
            network=wishes.network,
            parallel=wishes.parallel,
        )

    def policy(self, grant: Grant) -> Policy:
        """What follows failed attempts, by the operator's rules."""
        return Policy(self.operator.relaunch, grant.limits, grant.most_memory)

    def searcher(self, record: RunRecord) -> Searcher:
        """The search of a run, going on from what it and the runs before it learnt."""
        from pushtrain.study import Memory, OptunaSearcher, study_path  # noqa: PLC0415

        push, objective = record.push, record.objective
        assert push is not None and objective is not None
        path = study_path(
            self.store.home / "studies", identity(push.repository), record.knobs, objective
        )
        confirmations = {result.number for result in record.confirmations}
        return OptunaSearcher(
            record.knobs,
            objective,
            record.seed,
            Memory(path, objective),
            run=record.id,
            since=record.started,
            results=[r for n, r in record.trials.items() if n not in confirmations],
            running={number: started.values for number, started in record.running.items()},
        )

    def trainer(
        self, live: LiveRun, settings: RepositorySettings, grant: Grant, index: int
    ) -> Trainer:
        """The trainer of worker number `index`; before the first, what a dead driver left goes."""
        with self._lock:
            if live.id not in self._cleared:
                live.refresh()  # who was overtaken would remove the containers of its successor
                remove_leftovers(self.engine, live.id, _token(live))
                self._cleared.add(live.id)
        record = live.record
        assert record.image is not None and record.detection is not None
        assert record.objective is not None and record.budget is not None
        job = Job(
            run=live.id,
            worker=index,
            image=record.image,
            source=live.folder.source,
            entry=record.detection.entry,
            trials=live.folder.trials,
            limits=grant.limits,
            objective=record.objective,
            trial_seconds=record.budget.trial_seconds,
            mounts=grant.mounts,
            args=settings.train.args,
            workdir=settings.train.workdir,
            environment=settings.train.env,
            lease=_token(live),
        )
        return ContainerTrainer(self.engine, job)

    def clear(self, live: LiveRun) -> None:
        """Removes the run's containers and checkpoints; raises only LeaseLost, JournalError."""
        live.refresh()
        try:
            remove_leftovers(self.engine, live.id, _token(live), checkpoints=True)
        except PushtrainError as error:
            _log.warning("run %s: the monitor will remove what it left: %s", live.id, error)

    def publish(self, live: LiveRun) -> None:
        """Writes model, patch, manifest and report, and tells people.

        Raises only LeaseLost, and PublicationError where it is to be done again."""
        self.publication.publish(live)
        self.deliver_waiting()

    def deliver_waiting(self) -> tuple[Receipt, ...]:
        """Delivers what runs before could not; gives what came of it, and never raises."""
        from pushtrain.notify import deliver_all_waiting  # noqa: PLC0415

        return deliver_all_waiting(self.store, self.operator)

    def deliver_pushes(self) -> tuple[tuple[str, str], ...]:
        """Delivers the pushes that wait for a Jenkins server; never raises.

        Returns:
            What was tried (a job, or all of them), and the error where it still waits.
        """
        # Imported here: a run needs no Jenkins client.
        from pushtrain.ci.access import find_access  # noqa: PLC0415
        from pushtrain.ci.delivery import Deliverer  # noqa: PLC0415
        from pushtrain.ci.real_jenkins import RealJenkins  # noqa: PLC0415
        from pushtrain.ci.spool import Spool  # noqa: PLC0415

        spool = Spool(self.store.home / "jenkins" / "spool")
        try:
            if not spool.waiting():
                return ()
            access = find_access(os.environ, self.store.home)
            done = Deliverer(RealJenkins(access), access, spool).flush()
            return tuple((one.push.job, str(one.error or "")) for one in done)
        except (PushtrainError, OSError) as error:
            return (("pushes", str(error)),)

    def tell(self, live: LiveRun) -> None:
        """Tells people of a run's verdict; errors as `notify.tell`."""
        from pushtrain.notify import tell  # noqa: PLC0415

        tell(live, self.operator)

    def _importances(self, record: RunRecord) -> Mapping[str, float]:
        return self.searcher(record).importances() if record.plan is not None else {}


def _token(live: LiveRun) -> int:
    return 0 if live.lease is None else live.lease.token
