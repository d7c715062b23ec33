"""Checkpoints of every fit that a script makes, and how another attempt goes on after them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from pushtrain.worker.adapters import keras_data, keras_graph
from pushtrain.worker.adapters.keras_fit import FitCheckpoint
from pushtrain.worker.adapters.keras_lineage import Lineage
from pushtrain.worker.adapters.keras_loop import Feed, Loop
from pushtrain.worker.adapters.wrapping import Guard
from pushtrain.worker.checkpoints import Pace
from pushtrain.worker.session import Session
from pushtrain.worker.written import Written, written

_BACKENDS = ("tensorflow", "torch", "jax")
_FIT = re.compile(r"fit-(\d+)")


@dataclass(frozen=True)
class Rhythm:
    """When checkpoints are due.

    Attributes:
        pace: bounds what they cost.
        seconds: between two of them inside an epoch, at least.
    """

    pace: Pace = field(default_factory=Pace)
    seconds: float = 30.0


class KerasCheckpoints:
    """The checkpoints of one script, one for each of its fits; made before the script begins."""

    def __init__(self, session: Session, guard: Guard, keras: Any, lineage: Lineage) -> None:
        self.session = session
        self.guard = guard
        self.keras = keras
        self.lineage = lineage
        rhythm = session.shared.get("rhythm")
        self.rhythm = rhythm if isinstance(rhythm, Rhythm) else Rhythm()
        self.backend = str(keras.backend.backend())
        self._store = session.checkpoints
        self.worth: dict[str, float] = {}
        """Seconds of training that are in each checkpoint."""
        found = guard.quietly("what the script writes", written, session)
        self._is_possible = found is not None
        self.written = found or Written({}, self._store)

    @property
    def epochs(self) -> int:
        """Epochs of all fits so far."""
        return self.session.counts.get("epoch", 0)

    def count_epoch(self) -> None:
        """Another epoch has ended."""
        self.session.counts["epoch"] = self.epochs + 1

    def fit(self, model: Any, call: Any, recorder: Any) -> Loop | None:
        """The script begins another fit; None where nothing can be kept of it.

        Args:
            model: what is trained.
            call: the arguments of the fit.
            recorder: the callback that measures its epochs.
        """
        number = self.session.counts["fit"] = self.session.counts.get("fit", 0) + 1
        if not self._is_possible:
            return None
        version = str(getattr(self.keras, "__version__", ""))
        if not version.startswith("3.") or self.backend not in _BACKENDS:
            if self.session.resumes:
                what = f"Keras {version} on {self.backend}"
                self.session.note(f"a training begins again: {what} cannot be continued")
            return None
        feed = self._feed(call)
        fit = FitCheckpoint(self, f"fit-{number}", model, feed, recorder)
        if feed.draws_of_one and call.get(12, "steps_per_epoch") is not None:
            fit.doubt("one generator of PyTorch orders its data and drops out")
        return Loop(self.guard, model, feed, fit)

    def make_room(self, but: str) -> bool:
        """Removes the least worthwhile checkpoint of another fit; whether there was one.

        Raises:
            OSError: it cannot be removed.
        """
        others = {name: worth for name, worth in self.worth.items() if name != but}
        if others:
            self._forget(min(others, key=lambda name: others[name]))
        return bool(others)

    def forget(self, name: str, *, and_later: bool) -> None:
        """Removes the checkpoint of a fit, or also of those that came after it.

        Raises:
            OSError: it cannot be removed.
        """
        for one in self._later(name) if and_later else ():
            self._forget(one)
        self._forget(name)

    def is_reached(self, name: str) -> None:
        """A fit goes on from its checkpoint; if it is the last, all that anybody needs is known.

        Raises:
            OSError: something cannot be removed.
        """
        if not self._later(name):
            self.written.sweep()

    def _forget(self, name: str) -> None:
        self.worth.pop(name, None)
        self._store.forget(name)
        self.written.release(name)

    def _later(self, name: str) -> list[str]:
        number = int(name.rpartition("-")[2])
        found = (_FIT.fullmatch(one) for one in self._store.names())
        return [one[0] for one in found if one and int(one[1]) > number]

    def _feed(self, call: Any) -> Feed:
        x, held = call.get(0, "x"), call.get(7, "validation_data")
        kind = keras_data.kind_of(x)
        held_x = held[0] if isinstance(held, (tuple, list)) and held else held
        draws_of_one = self.backend == "torch"
        is_whole = call.get(12, "steps_per_epoch") is None and call.get(8, "shuffle") != "batch"
        return Feed(
            backend=self.backend,
            is_shuffled_once=kind == "arrays" and is_whole and not draws_of_one,
            draws_in_python=kind not in ("arrays", "pipeline")
            or (kind == "pipeline" and keras_graph.runs_python(x)),
            draws_of_one=draws_of_one,
            held_is_arrays=keras_data.kind_of(held_x) == "arrays" and not draws_of_one,
        )
