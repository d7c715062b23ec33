"""scikit-learn."""

from __future__ import annotations
from pushtrain.worker.session import Session

MODULES = ("sklearn",)


def install(session: Session) -> None:
    """Later."""


def finish(session: Session) -> None:
    """Later."""
