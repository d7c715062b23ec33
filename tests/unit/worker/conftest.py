"""A worker that trains whatever a test module gives it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.workers import WorkerProcess

Launch = Callable[..., WorkerProcess]
"""Starts a worker with this source, by path, and whatever else a `WorkerProcess` takes."""


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


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    """Starts workers; each gets the checkpoints of the one before."""
    made: list[WorkerProcess] = []

    def one(source: dict[str, str], **wishes: object) -> WorkerProcess:
        made.append(WorkerProcess(tmp_path / str(len(made)), source, **wishes))  # type: ignore[arg-type]
        assert made[-1].hear().event == "ready"
        if len(made) > 1:
            made[-1].take_over(made[-2])
        return made[-1]

    yield one
    for worker in made:
        worker.close()
