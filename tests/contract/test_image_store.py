"""The contract of ImageStore (pushtrain.interfaces), held by the fake and by a real engine."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from fakes.image_store import FakeImageStore
from pushtrain.engine.docker_images import DockerImageStore
from pushtrain.errors import ImageError
from pushtrain.interfaces import LABEL_IMAGE, ImageStore

pytestmark = [pytest.mark.xdist_group("engine")]

BASE = "FROM ${PARENT}\n"


@pytest.fixture(params=["fake", pytest.param("docker", marks=pytest.mark.engine)])
def store(request: pytest.FixtureRequest) -> ImageStore:
    if request.param == "fake":
        return FakeImageStore("busybox")
    return DockerImageStore(request.getfixturevalue("connection"))


@pytest.fixture
def parent(store: ImageStore, request: pytest.FixtureRequest) -> str:
    """An image to build on."""
    name = "busybox" if isinstance(store, FakeImageStore) else request.getfixturevalue("busybox")
    return str(name)


@pytest.fixture
def tag(store: ImageStore, run_id: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """A tag of this test's own, gone afterwards."""
    name = f"pushtrain-{run_id}:{abs(hash(request.node.name)) % 10**8}"
    yield name
    store.remove(name)


def context(dockerfile: str) -> io.BytesIO:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        member = tarfile.TarInfo("Dockerfile")
        member.size = len(dockerfile)
        archive.addfile(member, io.BytesIO(dockerfile.encode()))
    stream.seek(0)
    return stream


@pytest.fixture
def build(store: ImageStore, parent: str, tag: str) -> Callable[..., str]:
    def make(dockerfile: str, on_line: Callable[[str], None] = lambda line: None) -> str:
        return store.build(
            tag,
            context("ARG PARENT\n" + BASE + dockerfile),
            arguments={"PARENT": parent},
            labels={LABEL_IMAGE: "test"},
            on_line=on_line,
        )

    return make


@contextmanager
def leaving_nothing(store: ImageStore, tag: str) -> Iterator[None]:
    """Whatever goes wrong inside leaves no image of ours behind."""
    before = {id for id, *_ in store.list()}
    yield
    assert store.find(tag) is None
    assert {id for id, *_ in store.list()} <= before


def test_what_does_not_exist_is_not_found(store: ImageStore, tag: str) -> None:
    assert store.find(tag) is None


def test_a_built_image_is_found_and_listed(
    store: ImageStore, tag: str, build: Callable[..., str]
) -> None:
    made = build("RUN echo one && echo two\n")
    found = store.find(tag)
    assert found is not None
    assert found[0] == made
    assert found[1] > 0
    assert [(id, name) for id, name, *_ in store.list() if name == tag] == [(made, tag)]


def test_what_a_build_prints_is_passed_on_in_order(build: Callable[..., str]) -> None:
    heard: list[str] = []
    build("RUN echo one && echo two\n", heard.append)
    assert [line for line in heard if line in ("one", "two")] == ["one", "two"]


def test_a_failing_build_names_the_instruction_and_its_last_lines(
    store: ImageStore, tag: str, build: Callable[..., str]
) -> None:
    with leaving_nothing(store, tag), pytest.raises(ImageError) as failure:
        build("RUN echo good\nRUN echo last words && false\n")
    assert failure.value.facts["instruction"] == "RUN echo last words && false"
    assert failure.value.facts["tail"] == ["last words"]
    assert "RUN echo last words && false" in str(failure.value)


def test_a_parent_that_does_not_exist_fails_the_build(store: ImageStore, tag: str) -> None:
    with leaving_nothing(store, tag), pytest.raises(ImageError):
        store.build(
            tag,
            context("FROM sha256:" + 64 * "0" + "\n"),
            arguments={},
            labels={},
            on_line=lambda line: None,
        )


def test_a_broken_context_fails_the_build(store: ImageStore, tag: str) -> None:
    with leaving_nothing(store, tag), pytest.raises(ImageError):
        store.build(tag, io.BytesIO(b"no tar"), arguments={}, labels={}, on_line=lambda line: None)


def test_who_listens_can_end_a_build(
    store: ImageStore, tag: str, build: Callable[..., str]
) -> None:
    class Enough(Exception):
        pass

    def stop(line: str) -> None:
        if line == "enough":
            raise Enough

    with leaving_nothing(store, tag), pytest.raises(Enough):
        build("RUN echo enough && sleep 60\nRUN echo more\n", stop)


def test_the_first_whole_image_keeps_the_tag(
    store: ImageStore, tag: str, build: Callable[..., str]
) -> None:
    first = build("RUN echo first\n")
    again = build("RUN echo second\n")
    assert again == first
    assert store.find(tag) == (first, store.find(tag)[1])  # type: ignore[index]


def test_a_root_file_system_becomes_an_image(store: ImageStore, tag: str) -> None:
    made = store.load(tag, context("FROM scratch\n"), {LABEL_IMAGE: "test"})
    found = store.find(tag)
    assert found is not None
    assert found[0] == made
    assert (made, tag) in [(id, name) for id, name, *_ in store.list()]


def test_removing_is_idempotent(store: ImageStore, tag: str, build: Callable[..., str]) -> None:
    build("RUN echo short-lived\n")
    store.remove(tag)
    store.remove(tag)
    assert store.find(tag) is None
