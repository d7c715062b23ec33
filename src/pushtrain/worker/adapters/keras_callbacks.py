"""What callbacks know besides the model: their attributes, and what their code remembers."""

from __future__ import annotations

import csv
import hashlib
import json
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

from pushtrain.worker.adapters.packing import Packing, unpacked
from pushtrain.worker.adapters.reach import Reach
from pushtrain.worker.frames import Frames

OURS = "__pushtrain__"
"""An attribute that marks a callback of ours."""

_LARGE = 32 * 1024 * 1024
"""Bytes from which on an array counts as changed only when it is another one."""


class CallbackState:
    """What the callbacks of one fit know; made when the fit begins.

    What changes while a model is trained, and can be packed, is their state.

    Args:
        callbacks: all of them, in their order.
        model: what is trained; a class of the script's own may keep something as well.
        frames: tells the script's own code.
    """

    def __init__(self, callbacks: Sequence[Any], model: Any, frames: Frames) -> None:
        self._callbacks = [one for one in callbacks if not hasattr(one, OURS)]
        self._model = model
        self._frames = frames
        self._begun = {key: _Mark(place.get()) for key, place in self._reach().places.items()}

    def packed(self, packing: Packing) -> dict[str, Any]:
        """What has changed since the fit began, by place; what cannot be packed is `lost`."""
        changed, lost = {}, []
        for key, place in self._reach().places.items():
            mark = _Mark(place.get())
            if mark == self._begun.get(key):
                continue
            if mark.is_state:
                changed[key] = packing.put(place.get())
            elif place.is_own:
                lost.append(place.name)
        return {"places": changed, "lost": lost, "tables": self._tables()}

    def put_back(self, state: Mapping[str, Any], blobs: Mapping[str, Any]) -> None:
        """Puts it back; files that were open are there again by now."""
        reach = self._reach()
        for key, packed in state["places"].items():
            known = reach.places.get(key)
            if known is not None:
                known.set(unpacked(packed, blobs, known.get()))
                continue
            owner, _, name = key.rpartition(".")  # an attribute that is there only later
            if owner in reach.owners:
                setattr(reach.owners[owner], name, unpacked(packed, blobs))
        for index, names in state["tables"]:
            _open_table(self._callbacks[index], names)

    def _reach(self) -> Reach:
        reach = Reach(self._frames)
        for index, callback in enumerate(self._callbacks):
            reach.follow(f"{index} {type(callback).__name__}", callback)
        for index, layer in enumerate(self._model._flatten_layers()):
            if reach.is_own(type(layer)):
                reach.follow(f"layer {index} {type(layer).__name__}", layer)
        return reach

    def _tables(self) -> list[Any]:
        """Which callbacks have begun to write a table, and its columns."""
        return [
            [index, list(callback.writer.fieldnames)]
            for index, callback in enumerate(self._callbacks)
            if isinstance(getattr(callback, "writer", None), csv.DictWriter)
        ]


def _open_table(callback: Any, names: list[str]) -> None:
    """Lets a CSVLogger go on with its file where its header is already in it."""

    class Dialect(csv.excel):
        delimiter = callback.sep

    callback.writer = csv.DictWriter(callback.csv_file, names, dialect=Dialect)


class _Marks(Packing):
    """Packs a value only to see whether it is still the same."""

    def __init__(self) -> None:
        super().__init__()
        self.large: list[_Same] = []

    def array(self, value: Any) -> list[Any]:
        if value.nbytes < _LARGE:
            return super().array(value)
        self.large.append(_Same(value))
        return []


class _Same:
    """Equal to another one of the same object, as long as that lives."""

    def __init__(self, value: Any) -> None:
        try:
            self._reference: Any = weakref.ref(value)
        except TypeError:
            self._reference = lambda: value

    def __eq__(self, other: object) -> bool:
        value = self._reference()
        return isinstance(other, _Same) and value is not None and value is other._reference()

    __hash__ = None  # type: ignore[assignment]


class _Mark:
    """Equal as long as a value is; of what cannot be packed, as long as it is the same object.

    Attributes:
        is_state: it can be packed.
    """

    def __init__(self, value: Any) -> None:
        marks = _Marks()
        self._look: list[Any] = [_Same(value)]
        self.is_state = False
        try:
            digest = hashlib.blake2b(json.dumps(marks.put(value)).encode())
            for blob in marks.blobs.values():
                digest.update(blob)
        except Exception:  # whatever it is, it cannot be kept
            return
        self._look = [digest.digest(), *marks.large]
        self.is_state = True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Mark) and self._look == other._look

    __hash__ = None  # type: ignore[assignment]
