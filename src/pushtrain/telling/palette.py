"""The colours of report, plots and mails, once for daylight and once for the dark.

Text colours keep a contrast of at least 4.5 : 1 against `card` and `page` (WCAG 2.2, 1.4.3).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Palette:
    """One set of colours, as `#rrggbb`, by what they are for."""

    page: str
    card: str
    ink: str
    muted: str
    line: str
    accent: str
    met: str
    missed: str
    failed: str
    added: str
    """Behind an added line of a patch."""
    removed: str
    """Behind a removed line of a patch."""


LIGHT = Palette(
    page="#f4f5f7",
    card="#ffffff",
    ink="#1a1f26",
    muted="#59636f",
    line="#d8dde4",
    accent="#2257c5",
    met="#127344",
    missed="#915200",
    failed="#b3261e",
    added="#dff5e6",
    removed="#fde5e3",
)

DARK = Palette(
    page="#0e1217",
    card="#161c24",
    ink="#e7ebf0",
    muted="#9aa6b4",
    line="#2d3743",
    accent="#82abff",
    met="#55cc92",
    missed="#f0b254",
    failed="#ff8d84",
    added="#12351f",
    removed="#431d1d",
)
