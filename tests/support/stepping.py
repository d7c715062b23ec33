"""A framework of the tests' own, for scripts that have epochs where there is Python only.

Its adapter goes into the worker like those of real frameworks; the script imports `steps`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pushtrain.interfaces import OutgoingFile
from pushtrain.trial import bundle, startup

FRAMEWORK = """
follower = None

def step(number, of, **metrics):
    print(f"epoch {number} of {of}: {metrics}")
    if follower:
        follower(number, of, metrics)
"""
"""steps.py, in the source tree."""

_ADAPTER = """
MODULES = ("steps",)

def install(session):
    import steps
    steps.follower = lambda number, of, metrics: session.epoch(metrics, 0.1, of)
"""


def let_in(patch: pytest.MonkeyPatch) -> None:
    """Puts the adapter into every worker that is fed from now on."""

    def files() -> Iterator[OutgoingFile]:
        yield from bundle.worker_files()
        yield OutgoingFile("pushtrain/worker/adapters/steps.py", _ADAPTER.encode())

    patch.setattr(startup, "worker_files", files)
    patch.setattr(startup, "adapters", lambda: (*bundle.adapters(), "steps"))
