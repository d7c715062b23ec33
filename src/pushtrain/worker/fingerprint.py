"""Fingerprints of the data directories, which only the worker can read."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

MOST = 4 * 1024**3
"""Bytes that are read; of more than that only names, sizes and times count."""

_CHUNK = 1024 * 1024


def of(directory: Path, most: int = MOST) -> str:
    """`sha256:<hex>` of names and contents, or `stat:<hex>` where there is more than `most`."""
    files = sorted(_files(directory))
    sizes = {name: facts.st_size for name, facts in files}
    is_large = sum(sizes.values()) > most
    digest = hashlib.sha256()
    for name, facts in files:
        digest.update(f"{len(name)}:{name}:{facts.st_size}:".encode("utf-8", "surrogateescape"))
        if is_large:
            digest.update(f"{facts.st_mtime_ns};".encode())
        else:
            _read(directory / name, digest)
    return f"{'stat' if is_large else 'sha256'}:{digest.hexdigest()}"


def _files(directory: Path) -> list[tuple[str, os.stat_result]]:
    """The regular files below a directory, by relative path; links are followed to files only."""
    found = []
    for folder, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(folder, name)  # noqa: PTH118
            try:
                facts = os.stat(path)  # noqa: PTH116
            except OSError:
                continue
            if stat.S_ISREG(facts.st_mode):
                found.append((os.path.relpath(path, directory), facts))
    return found


def _read(path: Path, digest: hashlib._Hash) -> None:
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        digest.update(f"unreadable:{error.errno}".encode())
