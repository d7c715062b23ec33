"""What models said of which data: how a metric on predictions finds the model behind them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pushtrain.worker.adapters import rows

_MOST = 64
_SAMPLE = 2_000


@dataclass
class Prediction:
    """One call of `predict`: whose, on how many rows, and what the data proves."""

    model: Any
    fits: set[int]
    role: str
    count: int
    looks: set[bytes]
    save: Callable[[], bool] | None


class Predictions:
    """The latest predictions of a script."""

    def __init__(self) -> None:
        self._known: list[Prediction] = []

    def add(
        self,
        model: Any,
        fits: set[int],
        role: str,
        output: Any,
        save: Callable[[], bool] | None = None,
    ) -> None:
        """A model has said `output`; `save` saves that model."""
        array = rows.as_array(output)
        if array is None or hasattr(array, "tocsr") or not array.ndim or array.shape[0] < 2:
            return
        found = Prediction(model, fits, role, array.shape[0], _looks(array), save)
        self._known = [*self._known[-_MOST + 1 :], found]

    def behind(self, predicted: Any) -> Prediction | None:
        """The prediction that these values come from, if one can be told."""
        array = rows.as_array(predicted)
        if array is None or hasattr(array, "tocsr") or not array.ndim:
            return None
        same_size = [one for one in reversed(self._known) if one.count == array.shape[0]]
        looks = _looks(array)
        for one in same_size:
            if one.looks & looks:
                return one
        roles = {(one.role, id(one.model)) for one in same_size}
        return same_size[0] if len(roles) == 1 else None


def predictions(shared: dict[str, object]) -> Predictions:
    """The predictions that all adapters of a session share."""
    known = shared.get("predictions")
    if not isinstance(known, Predictions):
        known = shared["predictions"] = Predictions()
    return known


def _looks(array: Any) -> set[bytes]:
    """What the values look like as they are, and as the labels that people make of them."""
    import numpy

    flat = array[:_SAMPLE].reshape(min(len(array), _SAMPLE), -1)
    forms = [flat]
    if flat.dtype.kind in "biuf":
        if flat.shape[1] > 1:
            forms += [flat.argmax(axis=1)[:, None], flat[:, :1], flat[:, 1:2]]
        if flat.shape[1] == 1 and flat.dtype.kind == "f":
            forms += [flat > 0.5, numpy.round(flat)]
    found = [rows.hashes([form]).tobytes() for form in forms if form.shape[1]]
    return {hashlib.sha256(look).digest() for look in found}
