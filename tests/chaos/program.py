"""What is trained while everything around it breaks: scripts beside this module, as pushed."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

_SCRIPTS = Path(__file__).parent / "scripts"


@dataclass(frozen=True, slots=True)
class Program:
    """A training script.

    Attributes:
        name: its folder.
        epochs: how many it trains in all trials of a run together, at least.
        is_light: whether its image is small, so that an engine of the tests' own can have it.
    """

    name: str
    epochs: int
    is_light: bool = True

    def put(self, place: Path) -> Path:
        """Lays its source tree out; gives the tree's root."""
        root = place / "source"
        shutil.copytree(_SCRIPTS / self.name, root)
        shutil.copy(_SCRIPTS / "ledger.py", root)
        return root


LOOP = Program("loop", epochs=24)
CALLS = Program("calls", epochs=24)
KERAS = Program("keras", epochs=12, is_light=False)
PROGRAMS = (LOOP, CALLS, KERAS)
