"""Measuring epochs: a callback that the script never sees."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from pushtrain.worker.adapters.keras_callbacks import OURS

Tell = Callable[[dict[str, Any], float, "int | None"], None]


def recorder(callback: type[Any], before: int, tell: Tell) -> Any:
    """A callback that measures each epoch; the last one, so that it sees what others add.

    Args:
        callback: Keras' class of them.
        before: epochs of the script before this fit.
        tell: is told an epoch's values, its seconds, and how many epochs there will be if all of
            this fit is trained.
    """

    class Recorder(callback):  # type: ignore[misc]
        """Tells of epochs at once, or as soon as `tell` is called where somebody sees to that."""

        waits = False
        planned: int | None = None

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.started = time.perf_counter()
            self.first = getattr(self, "first", epoch)
            self.planned = (self.params or {}).get("epochs")

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            seconds = time.perf_counter() - self.started
            planned = self.planned
            if planned is not None:
                planned = before + int(planned) - self.first
            self._ended = dict(logs or {}), seconds, planned
            if not self.waits:
                self.tell()

        def tell(self) -> None:
            """Tells of the epoch that has ended."""
            tell(*self._ended)

    setattr(Recorder, OURS, True)
    return Recorder()
