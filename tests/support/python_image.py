"""A small image with this machine's own Python in it: no registry, no build, a few seconds.

Interpreter, standard library and the shared libraries that they need lie where they lie here, on
top of the busybox image.
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pushtrain.engine.connection import Connection
from pushtrain.entities import Image, ImagePlan
from support import busybox

_LEFT_OUT = re.compile(
    r"/(site-packages|test|tests|idlelib|tkinter|lib2to3|turtledemo|ensurepip|config-[^/]*)(/|$)"
)


@contextmanager
def loaded(connection: Connection, run_id: str) -> Iterator[Image]:
    """The image on an engine, under a tag of this test session's own."""
    name = f"pushtrain-python-{run_id}"
    archive = _root_file_system()
    with connection.calling("python cannot be loaded") as client:
        client.import_image_from_data(
            archive,
            repository=name,
            tag="1",
            changes=["ENV PATH=/bin", "ENV HOME=/tmp/home", "ENV USER=trainer"],
        )
        inspected = client.inspect_image(f"{name}:1")
    plan = ImagePlan(f"{name}:1", ("base",), (), _interpreter(), (), ("tests need Python only",))
    yield Image(plan, inspected["Id"], inspected["Size"])
    with connection.calling("python cannot be removed") as client:
        client.remove_image(f"{name}:1", force=True)


def _interpreter() -> str:
    return str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())


def _root_file_system() -> bytes:
    stream = io.BytesIO(busybox.root_file_system())
    library = Path(sysconfig.get_path("stdlib"))
    programs = [Path(_interpreter()), *library.glob("lib-dynload/*.so")]
    with tarfile.open(fileobj=stream, mode="a") as archive:
        for path in [programs[0], *_libraries(programs)]:
            archive.addfile(_entry(archive, path), io.BytesIO(path.read_bytes()))
        archive.add(library, str(library).lstrip("/"), filter=_wanted)
    return stream.getvalue()


def _libraries(programs: list[Path]) -> list[Path]:
    """What the dynamic linker would load for all of them."""
    command = ["bash", shutil.which("ldd") or "ldd", *map(str, programs)]  # /bin/bash may not be
    listed = subprocess.run(command, check=True, capture_output=True, text=True)
    return [Path(path) for path in sorted(set(re.findall(r"(/\S+) \(0x", listed.stdout)))]


def _entry(archive: tarfile.TarFile, path: Path) -> tarfile.TarInfo:
    """A regular file, also where `path` is a link."""
    info = tarfile.TarInfo(str(path).lstrip("/"))
    info.size, info.mode = path.stat().st_size, 0o755
    return info


def _wanted(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
    info.uid = info.gid = 0
    return None if _LEFT_OUT.search("/" + info.name) else info
