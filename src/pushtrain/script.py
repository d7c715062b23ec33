"""What a training script may import: to report its own metrics, and to go on where it was killed.

    import pushtrain
    pushtrain.report(accuracy=0.93)

    with pushtrain.checkpoint() as saved:
        weights = saved.state.get("weights", 0.0)
        for epoch in range(saved.state.get("epoch", 0), 100):
            weights = train(weights)
            saved.save(epoch=epoch + 1, weights=weights)

A script that would rather import nothing writes a file `pushtrain.json` into the directory that
it works in, with one flat object of names and numbers: {"accuracy": 0.93}. Either is the best
evidence there is: what a script reports itself counts before anything that was captured from it.
Of several reports of one metric the last counts, and the file counts after the calls.

Inside a training container PUSHTRAIN_REPORT names the file that `report` writes to, one JSON
object a line; anywhere else the values are printed. Standard library only.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any


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


class Checkpoint:
    """What a script keeps of a loop of its own; see `checkpoint`.

    Attributes:
        state: what was saved last by an attempt that was killed; empty where there was none.
    """

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state

    def save(self, **state: Any) -> bool:
        """Keeps a state, with all that the next attempt needs to go on after this moment.

        It may be called as often as one likes: most of the time it does nothing, so that saving
        takes no more than 4 % of the time. What was kept before is replaced whole, or not at all.

        Args:
            state: anything that can be pickled.

        Returns:
            Whether it has been written now. Outside a training container nothing ever is.

        Raises:
            TypeError, pickle.PicklingError, AttributeError: something in it cannot be pickled.
        """
        return False


@contextlib.contextmanager
def checkpoint(name: str = "script") -> Iterator[Checkpoint]:
    """Lets a loop of the script's own go on where an attempt at the same training was killed.

    Python's, NumPy's, PyTorch's and TensorFlow's shared generators are kept besides, and are what
    they were when the block is entered: draw what only a fresh start needs before the block. Other
    generators (`numpy.random.default_rng`) belong into the state.

    Args:
        name: of the loop, where there are several; letters, digits, `_` and `-`.

    Raises:
        ValueError: another name, or one that this script has used before.
    """
    if not os.environ.get("PUSHTRAIN_CHECKPOINT"):
        yield Checkpoint({})
        return
    # Only a container has need of it, and its worker.
    from pushtrain.worker.scripted import kept  # noqa: PLC0415

    with kept(name) as saved:
        yield saved


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
