"""What an examination of a machine or a server finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Health(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    """Training works, something else may not."""
    PROBLEM = "problem"
    """Nothing is trained before this is mended."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        subject: what was looked at ("engine", "disk").
        health: how bad it is.
        message: what was found.
        remedy: what to do about it; empty when all is well.
    """

    subject: str
    health: Health
    message: str
    remedy: str = ""
