"""Measures everything side by side; see README.md. Arguments name what to measure."""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import engine_cases
import pure_cases
import relaunch_cases
from table import show

CASES = {
    "detection": pure_cases.detection,
    "rewriting": pure_cases.rewriting,
    "study": pure_cases.study,
    "warm": engine_cases.warm,
    "bare": engine_cases.bare,
    "relaunch": relaunch_cases.relaunch,
    "checkpoint": engine_cases.checkpoint,
}


def main(names: list[str]) -> None:
    unknown = set(names) - set(CASES)
    if unknown:
        sys.exit(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(CASES)}")
    rows = []
    for name in names or CASES:
        started = time.monotonic()
        print(f"{name} ...", file=sys.stderr, flush=True)
        rows += CASES[name]()
        print(f"{name} took {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    show(rows)


main(sys.argv[1:])
