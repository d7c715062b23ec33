"""What reaches the disk, as far as a test can see it: what fsync was asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def synced(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """The paths that are brought to the disk one by one meanwhile, in their order."""
    paths: list[Path] = []
    with monkeypatch.context() as patched:
        patched.setattr(
            os, "fsync", lambda file: paths.append(Path(f"/proc/self/fd/{file}").readlink())
        )
        yield paths
