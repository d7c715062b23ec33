"""The checkpoint of one fit: the state of all that training changes, and back."""

from __future__ import annotations

import errno
import json
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pushtrain.worker.adapters import generators, keras_graph, keras_model
from pushtrain.worker.adapters.conclusion import conclusion
from pushtrain.worker.adapters.keras_callbacks import CallbackState
from pushtrain.worker.adapters.keras_loop import Feed, Position
from pushtrain.worker.adapters.keras_state import ModelState
from pushtrain.worker.adapters.packing import Packing, unpacked
from pushtrain.worker.checkpoints import Saved
from pushtrain.worker.written import Row

if TYPE_CHECKING:
    from pushtrain.worker.adapters.keras_checkpoints import KerasCheckpoints

_UNSEEDED = "its first batch gives other values than before: something draws that no seed governs"
_LOST = "what its callbacks have as {!r} cannot be kept"
_OWN_STATE = "its graph draws from operations of TensorFlow that keep their state to themselves"


class FitCheckpoint:
    """Keeps the state of one fit: what its loop (`keras_loop`) calls.

    Attributes:
        seconds: between two looks whether a checkpoint inside an epoch is due.
        is_given_up: the state cannot be kept.
        recorder: the callback that measures epochs.
        carried: seconds of this fit in earlier attempts, less those of getting there again.
    """

    def __init__(
        self, script: KerasCheckpoints, name: str, model: Any, feed: Feed, recorder: Any
    ) -> None:
        self.seconds = script.rhythm.seconds
        self.is_given_up = False
        self.recorder = recorder
        self.carried = 0.0
        self._script = script
        self._session = script.session
        self._name = name
        self._model = model
        self._feed = feed
        self._place = script.session.caller()
        self._began = time.monotonic()
        self._first: Any = None
        self._said: list[dict[str, object]] = []
        self._at_epoch: dict[str, Any] = {}
        self._doubts: set[str] = set()
        self._saved: tuple[Saved, list[Row], dict[str, Saved]] | None = None
        self._variables = ModelState(script.keras, model)

    def begins(self, callbacks: Any) -> Position | None:
        """All callbacks know that training begins; gives where it goes on after a checkpoint."""
        self._said = self._session.remember()
        self._callbacks = CallbackState(callbacks.callbacks, self._model, self._session.frames)
        self._call = self._described(callbacks)
        self._look = self._variables.look()
        if not self._session.resumes or self._name not in self._session.checkpoints.names():
            return None
        saved = self._session.checkpoints.load(self._name)
        if saved is not None and saved.header["call"] != self._call:
            self._begins_again("its checkpoint is of another training")
            return None
        if saved is not None and saved.header["look"] != self._look:
            self._begins_again("its model is another one than when the checkpoint's began")
            return None
        table = [Row(*row) for row in saved.header["files"]] if saved is not None else []
        contents = self._script.written.contents(table)
        if saved is None or contents is None:
            self._begins_again("its checkpoint is damaged", and_later=False)
            return None
        self._saved = saved, table, contents
        return Position(saved.header["epoch"], saved.header["step"])

    def first_batch(self, logs: dict[str, Any], train: Any) -> bool:
        """The train function gave this for the first batch; whether the checkpoint can be used."""
        self._first = json.dumps(_pythonified(logs), default=repr)
        if self._saved is None:
            return True
        header = self._saved[0].header
        differs = self._variables.differs(header["variables"])
        if differs:
            self._saved = None
            self._begins_again(f"its checkpoint is of another model: {differs}")
            return False
        if self._first != header["first"]:
            self._doubts.add(_UNSEEDED)
        if self._feed.backend == "tensorflow" and keras_graph.draws(train):
            self._doubts.add(_OWN_STATE)
        return True

    def put_back(self, logs: dict[str, Any] | None) -> None:
        """The place of the checkpoint is reached: all becomes what it was there.

        Args:
            logs: the values of the epoch that has just ended; None inside an epoch.
        """
        assert self._saved is not None
        saved, table, contents = self._saved
        header, blobs = saved.header, saved.blobs
        self._saved = None
        quietly = self._script.guard.quietly
        quietly("the model of a checkpoint", self._variables.put_back, header["variables"], blobs)
        quietly("files of a checkpoint", self._script.written.put_back, table, contents)
        quietly("callbacks of a checkpoint", self._callbacks.put_back, header["callbacks"], blobs)
        if logs is not None:
            logs.clear()
            logs.update(unpacked(header["logs"], blobs))
        self._model.stop_training = header["stop_training"]
        quietly(
            "generators of a checkpoint", self._put_back_generators, header["generators"], blobs
        )
        self._script.lineage.put_back(header["lineage"])
        self.carried = header["seconds"] - (time.monotonic() - self._began)
        self._session.carried(self.carried)
        self.recorder.started = time.perf_counter() - header["epoch_seconds"]
        self._script.written.settle(self._name, table)
        self._script.worth[self._name] = header["seconds"]
        self._script.is_reached(self._name)
        self._doubts |= {*header["doubts"], *map(_LOST.format, header["callbacks"]["lost"])}
        self._say_again(header["said"])

    def epoch_begins(self) -> None:
        """An epoch begins, and with it whatever orders its data."""
        if self._feed.draws_of_one:
            self._at_epoch = generators.states()

    def epoch_is_reached(self) -> None:
        """The epoch of a checkpoint begins that stands inside it."""
        if self._saved is not None and self._feed.draws_of_one:
            saved, _, _ = self._saved
            self._put_back_generators(saved.header["epoch_generators"], saved.blobs)

    def save(self, position: Position, logs: dict[str, Any] | None, *, is_asked: bool) -> None:
        """Saves the state where that is due or asked for; tells of an epoch that has ended."""
        with self._session.held():  # nobody is to hear of an epoch that may have to be repeated
            if not position.step:
                self.recorder.tell()
            pace, now = self._script.rhythm.pace, time.monotonic()
            if (pace.is_due(now) or is_asked) and not self.is_given_up:
                try:
                    self._write(position, logs)
                finally:
                    pace.spent(time.monotonic() - now)

    def ends(self) -> None:
        """The fit has ended, however it did."""
        self._session.forget(self._said)

    def doubt(self, reason: str) -> None:
        """Something happens that a continued fit may not do again; `reason` is said then."""
        self._doubts.add(reason)

    def give_up(self, reason: str) -> None:
        """Something happens that a continued fit would have to do again, and cannot."""
        if not self.is_given_up:
            self.is_given_up = True
            self._begins_again(reason, and_later=False)

    def _put_back_generators(self, packed: Any, blobs: Mapping[str, Any]) -> None:
        # What the data drew it has drawn again, and may have drawn ahead.
        but = generators.PYTHON if self._feed.draws_in_python else frozenset()
        generators.put_back(unpacked(packed, blobs), but)

    def _begins_again(self, reason: str, *, and_later: bool = True) -> None:
        if self._session.resumes:
            self._session.note(f"the training{self._at} begins again: {reason}")
        self._script.forget(self._name, and_later=and_later)

    def _write(self, position: Position, logs: dict[str, Any] | None) -> None:
        written, script = self._script.written, self._script
        while True:
            try:
                table = written.keep()
                packing = Packing()
                header = self._header(packing, position, logs)
                self._session.checkpoints.save(
                    self._name, {**header, "files": table}, packing.blobs
                )
                break
            except OSError as error:
                is_full = error.errno in (errno.EDQUOT, errno.ENOSPC)
                if not is_full or not script.make_room(but=self._name):
                    raise
        written.settle(self._name, table)
        script.worth[self._name] = header["seconds"]

    def _header(
        self, packing: Packing, position: Position, logs: dict[str, Any] | None
    ) -> dict[str, Any]:
        started = self.recorder.started
        return {
            "call": self._call,
            "look": self._look,
            "epoch": position.epoch,
            "step": position.step,
            "seconds": time.monotonic() - self._began + self.carried,
            "epoch_seconds": time.perf_counter() - started if position.step else 0.0,
            "first": self._first,
            "doubts": sorted(self._doubts),
            "said": self._said,
            "stop_training": bool(self._model.stop_training),
            "logs": packing.put(_pythonified(logs)),
            "variables": self._variables.packed(packing),
            "callbacks": self._callbacks.packed(packing),
            "generators": packing.put(generators.states()),
            "epoch_generators": packing.put(self._at_epoch),
            "lineage": self._script.lineage.files(),
        }

    def _say_again(self, said: list[dict[str, Any]]) -> None:
        model, session = self._model, self._session
        for message in said:
            session.say(**message)
            if message["kind"] == "epoch":
                self._script.count_epoch()
            if message["kind"] == "measurement":
                known = conclusion(session)
                known.model(model, message["role"], lambda: keras_model.save(model, session))
        session.resumed(self._script.epochs)
        for doubt in sorted(self._doubts):
            session.note(f"what follows of the training{self._at} is only approximate: {doubt}")

    @property
    def _at(self) -> str:
        return f" at {self._place}" if self._place else ""

    def _described(self, callbacks: Any) -> dict[str, Any]:
        """What is the same in every attempt at this fit."""
        keras = self._script.keras
        return {
            "keras": f"{keras.__version__} {self._feed.backend}",
            "model": type(self._model).__name__,
            "place": self._place,
            "callbacks": [type(one).__name__ for one in callbacks.callbacks],
            "epochs": callbacks.params.get("epochs"),
            "steps": callbacks.params.get("steps"),
        }


def _pythonified(logs: Any) -> dict[str, Any]:
    """Values of a batch or an epoch as Keras hands them to callbacks."""
    made = sys.modules["keras.src.utils.python_utils"].pythonify_logs(logs)
    return dict(made)
