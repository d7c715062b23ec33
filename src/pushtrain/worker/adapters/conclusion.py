"""What is settled only when the script has ended: whose model it is, and its confusion matrix."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from pushtrain.worker.adapters.wrapping import guard
from pushtrain.worker.session import Session

MOST_CLASSES = 1_000

_WORTH = {"held-out": 3, "cross-validation": 2, "validation": 2, "training": 1, "": 0}
_NAMES = ("class_names", "classes", "labels", "target_names", "CLASS_NAMES", "CLASSES", "LABELS")

Produce = Callable[[], "tuple[Sequence[str], Sequence[Sequence[int]]] | None"]


class Conclusion:
    """Gathers candidates while the script runs; the best proven one of each kind counts."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._guard = guard(session)
        self._confusions: list[tuple[int, Produce]] = []
        self._models: dict[int, tuple[int, int, Any, Callable[[], bool]]] = {}
        self._order = 0
        self._is_finished = False

    def confusion(self, role: str, produce: Produce) -> None:
        """A confusion matrix that can be had; of equally good ones the last counts."""
        worth = _WORTH.get(role, 0)
        if not self._confusions or worth >= self._confusions[-1][0]:
            self._confusions = [*self._confusions[-1:], (worth, produce)]

    def model(self, model: Any, role: str, save: Callable[[], bool]) -> None:
        """A trained model, and by `role` how well it is proven; the last of the best counts."""
        self._order += 1
        worth = _WORTH.get(role, 0)
        known = self._models.get(id(model))
        if known is not None and role == "":
            worth = known[0]  # trained further: what proved it before still stands for it
        self._models[id(model)] = (worth, self._order, model, save)
        if len(self._models) > 2:
            self._models.pop(min(self._models, key=lambda key: self._models[key][:2]))

    def finish(self) -> None:
        """Saves the model and counts the confusion, once, whichever adapter comes first."""
        if self._is_finished or not self._guard.is_here:
            return
        self._is_finished = True
        for _, _, _, save in sorted(self._models.values(), key=lambda one: one[:2], reverse=True):
            if self._guard.quietly("the trained model", save):
                break
        for _, produce in reversed(self._confusions):
            found = self._guard.quietly("the confusion matrix", produce)
            if found:
                self._session.confusion(*found)
                break


def conclusion(session: Session) -> Conclusion:
    """The one conclusion that all adapters of a session share."""
    known = session.shared.get("conclusion")
    if not isinstance(known, Conclusion):
        known = session.shared["conclusion"] = Conclusion(session)
    return known


def counted(
    true: Any, predicted: Any, names: Sequence[object] | None = None
) -> tuple[list[str], list[list[int]]] | None:
    """The confusion of labels that are numbers or words; None where that is no classification.

    Args:
        true: the true label of each row.
        predicted: the label that each row was given.
        names: what the classes are called, in the order of the sorted labels.
    """
    import numpy

    true, predicted = numpy.asarray(true).ravel(), numpy.asarray(predicted).ravel()
    if not len(true) or len(true) != len(predicted):
        return None
    try:
        labels, places = numpy.unique(numpy.concatenate([true, predicted]), return_inverse=True)
    except TypeError:  # words and numbers side by side
        return None
    if labels.dtype.kind == "f":
        if (labels != numpy.floor(labels)).any():
            return None
        labels = labels.astype(numpy.int64)
    if names and labels.dtype.kind in "iub" and labels[0] >= 0 and labels[-1] < len(names):
        places = labels[places].astype(numpy.int64)  # also the classes that nobody met
        labels = numpy.arange(len(names))
    size = len(labels)
    if not 2 <= size <= MOST_CLASSES:
        return None
    places = places.ravel()
    cells = numpy.bincount(places[: len(true)] * size + places[len(true) :], minlength=size * size)
    given = [str(name) for name in (names or ())]
    words = given if len(given) == size else [str(label) for label in labels.tolist()]
    return words, cells.reshape(size, size).tolist()


def names_in_script(count: int) -> list[str] | None:
    """What the script itself calls its classes, where a usual name of its own says so."""
    script = vars(sys.modules["__main__"])
    for name in _NAMES:
        value = script.get(name)
        if not isinstance(value, (list, tuple)) or len(value) != count:
            continue
        if all(isinstance(item, str) for item in value):
            return list(value)
    return None
