"""What a training script may import: two lines report its own metrics.

    import pushtrain
    pushtrain.report(accuracy=0.93)

A script that would rather import nothing writes a file `pushtrain.json` into the directory that
it works in, with one flat object of names and numbers: {"accuracy": 0.93}. Either is the best
evidence there is: what a script reports itself counts before anything that was captured from it.
Of several reports of one metric the last counts, and the file counts after the calls.

Inside a training container PUSHTRAIN_REPORT names the file that `report` writes to, one JSON
object a line; anywhere else the values are printed. Standard library only.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path


def report(**metrics: float) -> None:
    """Reports metrics by name, measured however the script sees fit; the last value counts.

    Args:
        metrics: numbers, or what `float` takes for one, such as a NumPy scalar.

    Raises:
        TypeError: a value is not a number.
    """
    values = {name: _number(name, value) for name, value in metrics.items()}
    target = os.environ.get("PUSHTRAIN_REPORT")
    if not target:
        print("pushtrain:", ", ".join(f"{name}={value:g}" for name, value in values.items()))
        return
    with Path(target).open("a", encoding="utf-8") as file:
        file.write(json.dumps({name: _told(value) for name, value in values.items()}) + "\n")


def _number(name: str, value: object) -> float:
    if isinstance(value, str):
        raise TypeError(f"{name}={value!r} is a text, not a number")
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise TypeError(f"{name} is a {type(value).__name__}, not a number") from None


def _told(value: float) -> float | str:
    """JSON has no name for what is no number: the worker reads Python's."""
    return value if math.isfinite(value) else str(value)
