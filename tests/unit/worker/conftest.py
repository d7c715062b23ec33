"""A worker that trains whatever a test module gives it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.workers import WorkerProcess


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerProcess]:
    """One worker for all tests of a module: it must come out of each trial as it went in."""
    made = WorkerProcess(tmp_path_factory.mktemp("worker"), {"train.py": ""})
    try:
        assert made.hear().event == "ready"
        yield made
        assert made.process.poll() is None, made.errors
    finally:
        made.close()
