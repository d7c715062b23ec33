"""Images are built layer by layer, once, whoever asks and however many at a time."""

from __future__ import annotations

import base64
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from fakes.image_store import FakeImageStore
from pushtrain.entities import ImagePlan
from pushtrain.errors import ImageError
from pushtrain.images import ImageBuilder, Machine, Planner
from pushtrain.images.indexes import PackageSource
from pushtrain.settings import ImageSettings
from support.plans import detection, tiny_catalog

BASE = "python:3.11-slim"
MACHINE = Machine("3.11", base_image=BASE)


@pytest.fixture
def planner(tmp_path: Path) -> Planner:
    (tmp_path / "docker").mkdir()
    return Planner(tiny_catalog(tmp_path / "docker"), MACHINE)


@pytest.fixture
def plan(planner: Planner, tmp_path: Path) -> ImagePlan:
    return planner.plan(detection(), ImageSettings(), tmp_path)


def names(store: FakeImageStore) -> list[str]:
    return [tag.removeprefix("pushtrain/").split(":")[0] for tag, _ in store.built]


def test_layers_are_built_from_the_base_up_and_only_once(
    planner: Planner, plan: ImagePlan, tmp_path: Path
) -> None:
    store = FakeImageStore(BASE)
    builder = ImageBuilder(store, planner, tmp_path / "locks")
    said: list[str] = []
    image = builder.ensure(plan, said.append)
    assert names(store) == ["base", "middle", "top"]
    assert [line for line in said if line.endswith((": base", ": middle", ": top"))] == [
        "base: base",
        "middle: middle",
        "top: top",
    ]
    assert sum("built in" in line for line in said) == 3
    assert (image.plan, image.id) == (plan, store.find(plan.tag)[0])  # type: ignore[index]
    assert builder.ensure(plan, pytest.fail) == image
    assert len(store.built) == 3


def test_each_layer_stands_on_the_id_of_the_one_below(
    planner: Planner, plan: ImagePlan, tmp_path: Path
) -> None:
    store = FakeImageStore(BASE)
    ImageBuilder(store, planner, tmp_path / "locks").ensure(plan, lambda line: None)
    parents = [arguments["PARENT"] for _, arguments in store.built]
    assert parents[0] == BASE
    found = [store.find(tag) for tag, _ in store.built]
    assert parents[1:] == [one[0] for one in found[:-1] if one]


def test_what_exists_below_is_not_built_again(
    planner: Planner, plan: ImagePlan, tmp_path: Path
) -> None:
    store = FakeImageStore(BASE)
    builder = ImageBuilder(store, planner, tmp_path / "locks")
    builder.ensure(plan, lambda line: None)
    store.remove(plan.tag)
    store.built.clear()
    builder.ensure(plan, lambda line: None)
    assert names(store) == ["top"]


def test_many_at_once_build_each_layer_once(
    planner: Planner, plan: ImagePlan, tmp_path: Path
) -> None:
    store = FakeImageStore(BASE)
    waiting = threading.Semaphore(0)

    def on_line(line: str) -> None:
        if line.startswith("waiting"):
            waiting.release()

    def hold(tag: str) -> None:
        """The first to build goes on when the other three wait for it."""
        if len(store.built) == 1:
            for _ in range(3):
                assert waiting.acquire(timeout=30)

    store.during = hold
    # Each with a builder of its own, as in processes of their own: the files are all they share.
    builders = [ImageBuilder(store, planner, tmp_path / "locks") for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        images = list(pool.map(lambda builder: builder.ensure(plan, on_line), builders))
    assert len({image.id for image in images}) == 1
    assert names(store) == ["base", "middle", "top"]


def test_a_failure_names_layer_instruction_and_next_step(tmp_path: Path) -> None:
    (tmp_path / "docker").mkdir()
    top = ("RUN echo No space left on device && false",)
    planner = Planner(tiny_catalog(tmp_path / "docker", top), MACHINE)
    plan = planner.plan(detection(), ImageSettings(), tmp_path)
    store = FakeImageStore(BASE)
    with pytest.raises(ImageError) as failure:
        ImageBuilder(store, planner, tmp_path / "locks").ensure(plan, lambda line: None)
    assert failure.value.facts["layer"] == "top"
    assert failure.value.facts["instruction"] == top[0]
    assert failure.value.facts["tail"] == ["No space left on device"]
    assert "pushtrain clean" in failure.value.hint
    assert store.find(plan.tag) is None
    assert len(store.list()) == 2


def test_a_builder_that_gives_up_leaves_the_lock(
    planner: Planner, plan: ImagePlan, tmp_path: Path
) -> None:
    def stop(line: str) -> None:
        if line == "middle: middle":
            raise KeyboardInterrupt

    store = FakeImageStore(BASE)
    builder = ImageBuilder(store, planner, tmp_path / "locks")
    with pytest.raises(KeyboardInterrupt):
        builder.ensure(plan, stop)
    assert store.find(plan.tag) is None
    assert builder.ensure(plan, lambda line: None).id


def test_a_plan_of_another_catalog_is_not_built_under_its_tag(
    planner: Planner, plan: ImagePlan, tmp_path: Path
) -> None:
    other = Planner(planner.catalog, replace(MACHINE, base_image="python:3.11-bookworm"))
    store = FakeImageStore(BASE)
    with pytest.raises(ImageError, match="start the run anew"):
        ImageBuilder(store, other, tmp_path / "locks").ensure(plan, lambda line: None)
    ImageBuilder(store, planner, tmp_path / "locks").ensure(plan, lambda line: None)
    image = ImageBuilder(store, other, tmp_path / "locks").ensure(plan, pytest.fail)
    assert image.plan == plan  # what is there can be used, whoever planned it


def test_secrets_travel_only_in_the_argument_that_engines_forget(
    planner: Planner, tmp_path: Path
) -> None:
    secret = "https://me:secret@example.org/simple"
    machine = replace(MACHINE, packages=PackageSource(index=secret), proxies={"no_proxy": "a"})
    planner = Planner(planner.catalog, machine)
    store = FakeImageStore(BASE)
    plan = planner.plan(detection(), ImageSettings(), tmp_path)
    said: list[str] = []
    ImageBuilder(store, planner, tmp_path / "locks").ensure(plan, said.append)
    for _, arguments in store.built:
        script = base64.b64decode(arguments["ftp_proxy"]).decode()
        assert secret in script
        assert "secret" not in str({**arguments, "ftp_proxy": ""})
        assert arguments["no_proxy"] == "a"
    assert "secret" not in "\n".join(said)
