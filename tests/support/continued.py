"""Scripts of adapters/scripts/continued, killed on their way; see adapters/continued_driver.py."""

from __future__ import annotations

import json
import re
import shutil
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.adapted import HERE, Script

SCRIPTS = HERE / "scripts" / "continued"
_KILL = re.compile(r"(batch|call|validation|fsync) (\d+)(?: of fit (\d+))?")

Kill = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """How a script is trained: what ends each attempt but the last one.

    Attributes:
        notes: how those begin that the last attempt makes.
        seconds: between two checkpoints inside an epoch; None where there are none.
    """

    name: str
    script: Script
    kills: list[Kill]
    notes: Sequence[str] = ()
    seconds: float | None = None
    every: int = 1

    @property
    def is_approximate(self) -> bool:
        """Whether it does not end the same."""
        return any("approximate" in note for note in self.notes)

    @property
    def undisturbed(self) -> str:
        """The name of the case to compare with."""
        return self.script.name


def script(name: str) -> Script:
    return Script(SCRIPTS / f"{name}.py")


def kills(text: str, **more: Any) -> list[Kill]:
    """Reads "batch 9, validation 3 of fit 2": the process dies there, of SIGKILL."""
    return [
        {"at": at, "number": int(number), "fit": int(fit or 1), "signal": signal.SIGKILL, **more}
        for at, number, fit in _KILL.findall(text)
    ]


def scripts() -> list[Case]:
    """Every script, killed where its own comments say."""
    found = [Script(path) for path in sorted(SCRIPTS.glob("*.py"))]
    return [
        Case(
            f"{one.name}.killed",
            one,
            kills(one.expected["kill"]),
            [note for note in one.expected.get("notes", "").split("; ") if note],
            _seconds(one),
            int(one.expected.get("every", 1)),
        )
        for one in found
    ]


def lay_out(cases: Path, of: list[Case]) -> None:
    """A directory for each case, and for each script undisturbed."""
    undisturbed = {one.undisturbed: Case(one.undisturbed, one.script, []) for one in of}
    for case in (*undisturbed.values(), *of):
        folder = cases / case.name
        folder.mkdir()
        path = case.script.path
        shutil.copyfile(path, folder / path.name)
        record = {
            "entry": path.name,
            "seed": 11,
            "how": "adapted",
            "seconds": case.seconds,
            "every": case.every,
            "kills": case.kills,
        }
        (folder / "case.json").write_text(json.dumps(record))


def _seconds(one: Script) -> float | None:
    seconds = one.expected.get("seconds")
    return float(seconds) if seconds else None
