"""What a training script may import: two lines report its own metrics.

    import pushtrain
    pushtrain.report(accuracy=0.93)

Inside a training container the values reach the run as its best evidence; anywhere else they
are printed. Standard library only.
"""

from __future__ import annotations

import json
import os
from pathlib import Path


def report(**metrics: float) -> None:
    """Reports metrics by name, measured however the script sees fit; the last value counts.

    Raises:
        TypeError: a value is not a number.
    """
    values = {name: float(value) for name, value in metrics.items()}
    target = os.environ.get("PUSHTRAIN_REPORT")
    if not target:
        print("pushtrain:", ", ".join(f"{name}={value:g}" for name, value in values.items()))
        return
    with Path(target).open("a", encoding="utf-8") as file:
        file.write(json.dumps(values) + "\n")
