"""What goes and what stays when old runs, containers and images are removed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pushtrain.cleaning import Cleaning, StoredImage, execute, plan, stored_images
from pushtrain.entities import RunState
from pushtrain.errors import EngineUnreachable, ImageError, PushtrainError
from pushtrain.interfaces import LABEL_RUN, SandboxState, VolumeState
from pushtrain.inventory import DAY, StoredRun
from pushtrain.lease import Standing
from pushtrain.settings import KeepSettings
from pushtrain.store import LiveRun, RunFolder, Store
from support import records

NOW = 1_000_000_000.0
KEEP = KeepSettings(runs=2, days=10)


def stored(
    run: str,
    days: float,
    *,
    repository: str = "https://x/a",
    state: RunState = RunState.MET,
    driven: bool = False,
) -> StoredRun:
    """A run whose last event is so many days old."""
    push = replace(records.PUSH, repository=repository)
    record = replace(records.run(state=state, push=push), id=run, updated=NOW - days * DAY)
    standing = Standing.HELD if driven else Standing.RELEASED
    return StoredRun(RunFolder(run, Path("/runs") / run), record, standing)


def image(tag: str, days: float) -> StoredImage:
    return StoredImage(f"sha256:{tag}", tag, 10, NOW - days * DAY)


def container(run: str | None, name: str = "c") -> SandboxState:
    labels: Mapping[str, str] = {} if run is None else {LABEL_RUN: run}
    return SandboxState(f"id-{name}", name, labels, True, None, False)


def planned(*runs: StoredRun, **more: Any) -> Cleaning:
    facts = {"containers": (), "images": (), "keep": KEEP, **more}
    return plan(runs, now=NOW, **facts)


def gone(cleaning: Cleaning) -> list[str]:
    return [folder.id for folder in cleaning.runs]


# --- the policy --------------------------------------------------------------------------------


def test_old_runs_beyond_the_newest_go() -> None:
    runs = [stored(f"r{n}", 20 + n) for n in range(4)]
    assert gone(planned(*runs)) == ["r2", "r3"]


def test_young_runs_stay_however_many() -> None:
    assert planned(*(stored(f"r{n}", 9) for n in range(9))).is_empty


def test_each_repository_keeps_its_own() -> None:
    runs = [stored(f"{r}{n}", 20 + n, repository=r) for n in range(3) for r in "ab"]
    assert gone(planned(*runs)) == ["a2", "b2"]


@pytest.mark.parametrize(
    "kept",
    [
        stored("x", 99, state=RunState.TRAINING),
        stored("x", 99, driven=True),
        replace(stored("x", 99), record=None),
    ],
    ids=["without a verdict", "worked on", "damaged"],
)
def test_what_is_not_surely_over_stays(kept: StoredRun) -> None:
    assert planned(kept, keep=KeepSettings(runs=0, days=0)).is_empty


def test_nothing_need_be_kept() -> None:
    assert gone(planned(stored("a", 0.1), keep=KeepSettings(runs=0, days=0))) == ["a"]


def test_containers_go_whose_run_is_known_and_idle() -> None:
    runs = (
        stored("idle", 1),
        stored("driven", 1, driven=True),
        stored("dead", 1, state=RunState.TRAINING),
    )
    containers = [container(run, str(run)) for run in ("idle", "driven", "dead", "foreign", None)]
    assert [c.name for c in planned(*runs, containers=containers).containers] == ["idle", "dead"]


def test_checkpoints_go_with_their_run() -> None:
    runs = (stored("old", 99), stored("young", 1), stored("stopped", 1, state=RunState.STOPPED))
    volumes = [VolumeState(f"v-{r}", {LABEL_RUN: r}) for r in ("old", "young", "stopped", "far")]
    keep = KeepSettings(runs=0, days=10)
    assert [v.name for v in planned(*runs, keep=keep, volumes=volumes).volumes] == ["v-old"]


def test_what_never_began_goes() -> None:
    folder = RunFolder("x", Path("/runs/x"))
    assert gone(planned(never_begun=[folder])) == ["x"]


def test_images_go_that_are_old_and_that_no_kept_run_needs() -> None:
    used = records.PLAN.tag
    images = [image(used, 99), image("pushtrain/old:1", 99), image("pushtrain/new:1", 9)]
    assert [i.tag for i in planned(stored("a", 1), images=images).images] == ["pushtrain/old:1"]
    everything = planned(stored("a", 99), images=images[:2], keep=KeepSettings(runs=0, days=10))
    assert [i.tag for i in everything.images] == [used, "pushtrain/old:1"]


# --- what there is -----------------------------------------------------------------------------


class Images:
    """An image store that lists one image and refuses to remove some."""

    def __init__(self, refuse: Mapping[str, PushtrainError] | None = None) -> None:
        self.refuse = refuse or {}
        self.removed: list[str] = []

    def list(self) -> list[tuple[str, str, int, float]]:
        return [("sha256:1", "pushtrain/a:1", 5, 7.0)]

    def remove(self, reference: str) -> None:
        if reference in self.refuse:
            raise self.refuse[reference]
        self.removed.append(reference)


class Engine:
    def __init__(self) -> None:
        self.removed: list[str] = []

    def remove(self, container: str, *, grace: float = 0) -> None:
        self.removed.append(container)

    def remove_volume(self, name: str) -> None:
        self.removed.append(name)


def test_the_images_of_an_engine() -> None:
    assert stored_images(Images()) == (StoredImage("sha256:1", "pushtrain/a:1", 5, 7.0),)  # type: ignore[arg-type]


# --- doing it ----------------------------------------------------------------------------------


@pytest.fixture
def finished(tmp_path: Path) -> Callable[[], RunFolder]:
    store = Store(tmp_path)

    def make() -> RunFolder:
        folder = store.create("x")
        for event in records.events():
            LiveRun(folder).append(event)
        return folder

    return make


def executed(cleaning: Cleaning, engine: Engine, images: Images) -> tuple[str, ...]:
    return execute(cleaning, engine, images)  # type: ignore[arg-type]


def test_everything_that_was_planned_is_removed(finished: Callable[[], RunFolder]) -> None:
    folder, stays = finished(), finished()
    engine, images = Engine(), Images()
    cleaning = Cleaning(
        (folder,),
        (container("r"),),
        (image("pushtrain/a:1", 1), replace(image("", 1), id="sha")),
        (VolumeState("v", {LABEL_RUN: "r"}),),
    )
    assert executed(cleaning, engine, images) == ()
    assert (engine.removed, images.removed) == (["id-c", "v"], ["pushtrain/a:1", "sha"])
    assert not folder.path.exists()
    assert stays.path.exists()


def test_a_run_that_is_worked_on_again_stays(finished: Callable[[], RunFolder]) -> None:
    folder = finished()
    with folder.driving():
        problems = executed(Cleaning((folder,), (), ()), Engine(), Images())
    assert problems == (f"run {folder.id} is worked on again; it stays",)
    assert folder.record().verdict is not None


def test_a_run_that_is_gone_already_is_no_problem(finished: Callable[[], RunFolder]) -> None:
    one, other = finished(), finished()
    cleaning = Cleaning((one, other), (), ())
    assert executed(Cleaning((one,), (), ()), Engine(), Images()) == ()
    assert executed(cleaning, Engine(), Images()) == ()
    assert not other.path.exists()


def test_an_image_in_use_is_told_and_the_rest_goes(finished: Callable[[], RunFolder]) -> None:
    folder = finished()
    images = Images({"a": ImageError("a is in use", hint="remove its containers")})
    cleaning = Cleaning((folder,), (), (image("a", 1), image("b", 1)))
    assert executed(cleaning, Engine(), images) == ("a is in use; remove its containers",)
    assert images.removed == ["b"]
    assert not folder.path.exists()


def test_an_engine_that_went_away_ends_it(finished: Callable[[], RunFolder]) -> None:
    images = Images({"a": EngineUnreachable("no answer")})
    with pytest.raises(EngineUnreachable):
        executed(Cleaning((finished(),), (), (image("a", 1),)), Engine(), images)
