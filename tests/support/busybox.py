"""A tiny image made from this machine's static busybox: no registry, no build, under a second."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pushtrain.engine.connection import Connection

SETUID = "bin/su"
"""A program of root's with the setuid bit, as any image may hold one."""


@contextmanager
def loaded(connection: Connection, run_id: str) -> Iterator[str]:
    """The image on an engine, under a tag of this test session's own."""
    name = f"pushtrain-busybox-{run_id}"
    with connection.calling("busybox cannot be loaded") as client:
        client.import_image_from_data(root_file_system(), repository=name, tag="1")
    yield f"{name}:1"
    with connection.calling("busybox cannot be removed") as client:
        client.remove_image(f"{name}:1", force=True)


def root_file_system() -> bytes:
    """The image as an archive in tar format."""
    found = shutil.which("busybox")
    if found is None:
        raise RuntimeError("these tests need busybox: apt-get install busybox-static")
    applets = subprocess.run([found, "--list"], check=True, capture_output=True, text=True)
    program = Path(found).read_bytes()
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for directory in ("bin", "etc", "root", "usr/share", "var/tmp"):
            _add(archive, directory, tarfile.DIRTYPE, mode=0o777 if "tmp" in directory else 0o755)
        _add(archive, "bin/busybox", tarfile.REGTYPE, program)
        _add(archive, SETUID, tarfile.REGTYPE, program, mode=0o4755)
        for applet in sorted({*applets.stdout.split(), "sh"} - {"busybox", "su"}):
            _add(archive, f"bin/{applet}", tarfile.SYMTYPE, link="busybox")
        # root has no password: only the sandbox stands between a trainer and `su`.
        _add(archive, "etc/passwd", tarfile.REGTYPE, b"root::0:0:root:/root:/bin/sh\n", mode=0o644)
        _add(archive, "root/secret", tarfile.REGTYPE, b"of root alone\n", mode=0o600)
    return stream.getvalue()


def _add(
    archive: tarfile.TarFile,
    name: str,
    kind: bytes,
    content: bytes = b"",
    *,
    mode: int = 0o755,
    link: str = "",
) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.size, entry.mode, entry.linkname = kind, len(content), mode, link
    archive.addfile(entry, io.BytesIO(content))
