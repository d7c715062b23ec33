"""Which data a model was trained on, and so what a measurement on other data proves.

Data is known again as the same object, as a view of the same memory, and by its rows (`rows`).
What a model was trained on follows from the fits that it went through, its own and those whose
weights it took over: in a cross-validation written by hand each fold's model knows only its own.
"""

from __future__ import annotations

import operator
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pushtrain.worker.adapters import rows

TRAINING, VALIDATION, HELD_OUT = "training", "validation", "held-out"

OVERLAP = 0.2
"""The share of rows from which on an evaluation counts as one on data that was trained on."""

_SAMPLE = 4_000
_MOST_ROWS = 1_000_000
_MOST_STREAMED = 2_000_000
_RUN = 12
"""Changes of label in a row from which on a sequence of labels is no coincidence."""


@dataclass
class Stretch:
    """A part of a pipeline's elements, [start, stop).

    Attributes:
        whole: the stages that stand for all elements; the first one is what was cut.
        shifts: the elements come in another order each time, so that disjoint parts are not.
    """

    whole: list[Any]
    start: int
    stop: float
    shifts: bool


class Data:
    """Data as it is handed to a call: the objects that stand for it, and its rows where it has any.

    Attributes:
        objects: each of them stands for exactly these rows.
        stretch: where the rows are a part of others: of which, and of which elements.
        arrays: one for each input of the model; empty where the rows cannot be seen.
        hashed: numbers of rows that were seen while they streamed by.
    """

    def __init__(
        self,
        objects: Sequence[Any],
        arrays: Sequence[Any] = (),
        stretch: Stretch | None = None,
    ) -> None:
        self.objects = [item for item in objects if item is not None]
        self.arrays = list(arrays)
        self.stretch = stretch
        self.hashed: set[int] = set()

    @classmethod
    def of(cls, value: Any) -> Data:
        """Data given as an array, a table, a list, or several of them."""
        several = value if isinstance(value, (list, tuple)) and len(value) < 64 else ()
        objects = [value, *(item for item in several if hasattr(item, "shape"))]
        arrays = rows.arrays(value)
        if len(arrays) == 1:
            objects.append(arrays[0])
        return cls(objects, arrays)

    @property
    def count(self) -> int:
        """How many rows there are, 0 where that is not known."""
        return int(self.arrays[0].shape[0]) if self.arrays else 0

    def part(self, start: int, stop: int) -> Data:
        """A contiguous part of the rows."""
        return Data((), [array[start:stop] for array in self.arrays])

    def stream(self, batch: Any) -> None:
        """Adds the rows of a batch that streams by."""
        arrays = rows.arrays(batch)
        if arrays and len(self.hashed) < _MOST_STREAMED:
            self.hashed.update(rows.hashes(arrays, rows.MOST_COLUMNS).tolist())


class Seen:
    """What is kept of data after its call: no copy of it, and nothing that keeps it alive.

    Rows that repeat within the data say nothing when they are met again: only the others count.
    """

    def __init__(self, data: Data) -> None:
        self._whole = [_Reference(item) for item in data.objects]
        self._stretch = data.stretch
        self._spans = [_Span(array) for array in data.arrays if _is_memory(array)]
        self._streamed = data.hashed
        self._columns = rows.columns_for(data.count)
        self._rate = 1.0
        self._hashes: Any = None
        self._expected = 0.0
        if data.arrays and data.count:
            self._keep_rows(data)

    def share(self, data: Data) -> float:
        """The share of the given rows that are among these, as far as that can be known."""
        if any(known.is_one_of(data.objects) for known in self._whole):
            return 1.0
        if data.stretch and any(known.is_one_of(data.stretch.whole) for known in self._whole):
            return 1.0
        if self._stretch and self._meets(data):
            return 1.0
        shares = [0.0]
        if self._spans and len(self._spans) == len(data.arrays):
            by_place = list(map(_Span.share, self._spans, data.arrays))
            shared = [share for share in by_place if share is not None]
            if len(shared) == len(by_place):  # rows of one and the same array: their places tell
                return min(shared)
        if data.arrays and data.count:
            shares.append(self._share_of_rows(data))
        if data.hashed and (self._streamed or self._hashes is not None):
            shares.append(self._share_of_stream(data.hashed))
        return max(shares)

    def _meets(self, data: Data) -> bool:
        """Whether one part of a pipeline has elements in common with another, or with all of it."""
        mine, other = self._stretch, data.stretch
        assert mine is not None
        if other is None:
            return any(item is stage for item in data.objects for stage in mine.whole)
        if mine.whole[0] is not other.whole[0]:
            return False
        return mine.shifts or max(mine.start, other.start) < min(mine.stop, other.stop)

    def _keep_rows(self, data: Data) -> None:
        import numpy

        step = -(-data.count // _MOST_ROWS)
        self._rate = 1.0 / step
        found = rows.hashes(data.arrays, self._columns, step)
        distinct, counts = numpy.unique(found, return_counts=True)
        self._hashes = distinct[counts == 1]
        # Good and Turing: how often other data of the same kind meets a row that is here once.
        self._expected = 2.0 * int((counts == 2).sum()) / len(found)

    def _share_of_rows(self, data: Data) -> float:
        import numpy

        shares = [0.0]
        if self._streamed:
            found = rows.hashes(data.arrays, rows.MOST_COLUMNS, most=_SAMPLE).tolist()
            shares.append(sum(number in self._streamed for number in found) / len(found))
        if self._hashes is not None:
            found = rows.hashes(data.arrays, self._columns, most=_SAMPLE)
            share = float(numpy.isin(found, self._hashes).mean()) / self._rate
            shares.append(min(share, 1.0) - self._expected)
        return max(shares)

    def _share_of_stream(self, hashed: set[int]) -> float:
        known = self._streamed
        if not known:
            if self._columns != rows.MOST_COLUMNS:
                return 0.0
            known = set(self._hashes.tolist())
        return len(hashed & known) / len(hashed) - self._expected


@dataclass
class Fit:
    """One call that trained: the data, and the number of the call."""

    number: int
    inputs: list[Seen] = field(default_factory=list)
    targets: list[Seen] = field(default_factory=list)
    validation_inputs: list[Seen] = field(default_factory=list)
    validation_targets: list[Seen] = field(default_factory=list)
    labels: list[Labels] = field(default_factory=list)


class Labels:
    """A sequence of labels, known again as a whole or as a part of it."""

    def __init__(self, values: Any) -> None:
        self._text = _labels(values)

    def contains(self, values: Any) -> bool:
        """Whether the values are a stretch of these that cannot be one by coincidence."""
        text = _labels(values)
        if not text or not self._text or len(text) > len(self._text):
            return False
        changes = sum(map(operator.ne, text[:3200:8], text[8:3208:8]))
        if changes < _RUN:
            return False
        place = self._text.find(text)
        while place > 0 and place % 8:
            place = self._text.find(text, place + 1)
        return place >= 0


class History:
    """All fits of a script, who went through which, and what follows for a measurement."""

    def __init__(self) -> None:
        self.fits: list[Fit] = []
        self._taken: dict[int, tuple[Any, set[int]]] = {}

    def begin(self, *models: Any, anew: bool = False) -> Fit:
        """A fit begins, of these models; `anew`: it forgets what they had learnt before."""
        fit = Fit(len(self.fits))
        self.fits.append(fit)
        if len(self.fits) > 300:  # what a loop over thousands of small fits saw long ago
            self.fits[len(self.fits) - 300] = Fit(len(self.fits) - 300)
        for model in models:
            self.took(model, {fit.number}, anew=anew)
        return fit

    def took(self, model: Any, fits: Iterable[int], anew: bool = False) -> None:
        """A model has what these fits learnt, and with `anew` nothing else."""
        before = set() if anew else self.of(model) or set()
        key = id(model)
        try:
            reference: Any = weakref.ref(model, lambda _: self._taken.pop(key, None))
        except TypeError:
            reference = model
        self._taken[key] = (reference, before | set(fits))

    def of(self, model: Any) -> set[int] | None:
        """The fits that a model went through; None if nothing is known of it."""
        known = self._taken.get(id(model))
        return set(known[1]) if known else None

    @property
    def all(self) -> set[int]:
        """Every fit so far."""
        return set(range(len(self.fits)))

    def role(self, inputs: Data, fits: set[int] | None) -> str:
        """What a measurement on these inputs proves of a model that went through these fits."""
        return self._role(inputs, fits, "inputs")

    def role_of_targets(
        self, targets: Any, fits: set[int] | None, with_labels: bool = True
    ) -> str | None:
        """The same by the true values alone; None where they are not known.

        `with_labels`: also by their sequence, which data with a pattern may share.
        """
        data = Data([targets, _memory(targets)], rows.arrays(targets))
        role = self._role(data, fits, "targets")
        if role != HELD_OUT:
            return role
        chosen = [self.fits[number] for number in (self.all if fits is None else fits)]
        if with_labels and any(labels.contains(targets) for fit in chosen for labels in fit.labels):
            return TRAINING
        return None

    def _role(self, data: Data, fits: set[int] | None, kind: str) -> str:
        chosen = [self.fits[number] for number in (self.all if fits is None else fits)]
        for role, attribute in ((TRAINING, kind), (VALIDATION, f"validation_{kind}")):
            for fit in chosen:
                for seen in getattr(fit, attribute):
                    if seen.share(data) >= OVERLAP:
                        return role
        return HELD_OUT


class SeenTargets(Seen):
    """True values, known again as objects and by their memory: their rows say nothing."""

    def _keep_rows(self, data: Data) -> None:
        pass


def targets_of(value: Any) -> SeenTargets:
    """What is kept of true values."""
    return SeenTargets(Data([value, _memory(value)], rows.arrays(value)))


def history(shared: dict[str, object]) -> History:
    """The one history that all adapters of a session share."""
    known = shared.get("history")
    if not isinstance(known, History):
        known = shared["history"] = History()
    return known


class _Reference:
    """The identity of an object, as long as it lives."""

    def __init__(self, item: Any) -> None:
        self._key = id(item)
        try:
            self._reference: Any = weakref.ref(item)
        except TypeError:
            self._reference = lambda: item  # lists: what is kept alive is theirs to keep anyway

    def is_one_of(self, items: Sequence[Any]) -> bool:
        target = self._reference()
        return target is not None and any(item is target for item in items)


class _Span:
    """Where the rows of an array lie in memory, as long as that memory is theirs."""

    def __init__(self, array: Any) -> None:
        owner = _owner(array)
        try:
            self._owner: Any = weakref.ref(owner)
        except TypeError:
            self._owner = lambda: owner
        self._address = array.__array_interface__["data"][0]
        self._stride = array.strides[0] if array.ndim else 0
        self._count = array.shape[0] if array.ndim else 0

    def share(self, array: Any) -> float | None:
        """The share of the array's rows that begin where a row of this one does.

        None where the two do not lie in the same memory, or not in rows of the same kind.
        """
        if not _is_memory(array) or not array.ndim or not len(array) or not self._stride:
            return None
        if self._owner() is not _owner(array) or array.strides[0] % self._stride:
            return None
        import numpy

        start = array.__array_interface__["data"][0] - self._address
        offsets = start + numpy.arange(array.shape[0], dtype=numpy.int64) * array.strides[0]
        index, rest = numpy.divmod(offsets, self._stride)
        return float(((rest == 0) & (index >= 0) & (index < self._count)).mean())


def _owner(array: Any) -> Any:
    """The array whose memory this one looks at."""
    while _is_memory(getattr(array, "base", None)):
        array = array.base
    return array


def _is_memory(value: Any) -> bool:
    return hasattr(value, "__array_interface__") and hasattr(value, "strides")


def _memory(value: Any) -> Any:
    """The array behind a column of a table: the same object for as long as the table keeps it."""
    return value if hasattr(value, "shape") else None


def _labels(values: Any) -> bytes:
    import numpy

    array = rows.as_array(values)
    if array is None or hasattr(array, "tocsr") or array.shape[0] > 5_000_000:
        return b""
    array = array.reshape(array.shape[0], -1) if array.ndim else array
    if array.ndim != 2:
        return b""
    if array.shape[1] > 1:  # one-hot
        array = array.argmax(axis=1)[:, None] if array.dtype.kind in "biuf" else array[:, :1]
    return bytes(rows.hashes([array]).astype(numpy.uint64).tobytes())
