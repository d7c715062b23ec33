"""What a script keeps by itself: `pushtrain.checkpoint` inside a container (pushtrain/script.py).

Two variables make it possible, also in processes that the script starts: PUSHTRAIN_CHECKPOINT is a
directory that outlives the attempt, which a script may use as it likes; PUSHTRAIN_CHECKPOINT_BYTES
says how much may lie there and beside it. In the trial's own process the files that the script has
written are kept besides, and what was said of its results.
"""

from __future__ import annotations

import contextlib
import os
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pushtrain.script import Checkpoint
from pushtrain.worker import stopping
from pushtrain.worker.adapters import generators, interned
from pushtrain.worker.adapters.packing import Packing, Refused, unpacked
from pushtrain.worker.checkpoints import Checkpoints, Pace, Saved
from pushtrain.worker.session import Session
from pushtrain.worker.stopping import Stop
from pushtrain.worker.written import Row, written

_FILES = "files"
_PREFIX = "script-"
_STATE = "state"

_allowed: list[Session] = []
_used: set[str] = set()


def allow(session: Session) -> None:
    """In a trial's process, before its script: that may keep something, and what it starts too."""
    store = session.checkpoints
    directory = store.directory / _FILES
    try:
        directory.mkdir(exist_ok=True)
        files = written(session)
        for name in store.names() if session.resumes else ():
            saved = store.load(name) if name.startswith(_PREFIX) else None
            if saved is not None and files is not None:
                files.settle(name, _table(saved))
    except OSError:  # without a volume, or with something else in its place
        return
    os.environ["PUSHTRAIN_CHECKPOINT"] = str(directory)
    os.environ["PUSHTRAIN_CHECKPOINT_BYTES"] = str(store.most)
    _allowed.append(session)


@contextlib.contextmanager
def kept(name: str) -> Iterator[Checkpoint]:
    """The checkpoint of that name; see `pushtrain.checkpoint`."""
    if name in _used:
        raise ValueError(f"there is a checkpoint {name!r} already: give each loop its own name")
    with _remembered() as said, stopping.heeded() as stop:
        checkpoint = _Kept(_PREFIX + name, said, stop)
        _used.add(name)
        yield checkpoint


class _Kept(Checkpoint):
    """A checkpoint that is kept."""

    def __init__(self, name: str, said: list[dict[str, object]], stop: Stop) -> None:
        self._name = name
        self._said = said
        self._stop = stop
        self._pace = Pace()
        self._began, self._carried = time.monotonic(), 0.0
        self._session = _allowed[0] if _allowed else None
        if self._session is not None:
            self._store = self._session.checkpoints
            self._files = written(self._session)
        else:
            directory = Path(os.environ["PUSHTRAIN_CHECKPOINT"]).parent
            self._store = Checkpoints(directory, int(os.environ["PUSHTRAIN_CHECKPOINT_BYTES"]))
            self._files = None
        super().__init__(self._load())

    def save(self, **state: Any) -> bool:
        """See `Checkpoint.save`; where the trial has been asked to stop it saves and ends."""
        began = time.monotonic()
        if not self._pace.is_due(began) and not self._stop.is_asked:
            return False
        try:
            self._write(interned.dumps(state))
        except (OSError, Refused) as error:
            warnings.warn(f"a checkpoint is not saved: {error}", stacklevel=2)
            return False
        finally:
            self._pace.spent(time.monotonic() - began)
        if self._stop.is_asked:
            stopping.leave()
        return True

    def _write(self, state: bytes) -> None:
        packing = Packing()
        table = self._files.keep() if self._files is not None else []
        header = {
            "files": table,
            "generators": packing.put(generators.states()),
            "counts": self._session.counts if self._session is not None else {},
            "said": self._said,
            "seconds": time.monotonic() - self._began + self._carried,
        }
        self._store.save(self._name, header, {**packing.blobs, _STATE: state})
        if self._files is not None:
            self._files.settle(self._name, table)

    def _load(self) -> dict[str, Any]:
        """What was saved last, with all else as it was then; nothing where it cannot be had."""
        saved = self._store.load(self._name)
        if saved is None:
            return {}
        try:
            state: dict[str, Any] = interned.loads(saved.blobs[_STATE])
            self._put_back(saved)
        except Exception as error:
            told = f"{type(error).__name__}: {error}"
            warnings.warn(
                f"a checkpoint cannot be read, what it is of begins again: {told}", stacklevel=2
            )
            return {}
        return state

    def _put_back(self, saved: Saved) -> None:
        table = _table(saved)
        if self._files is not None:
            contents = self._files.contents(table)
            if contents is None:
                raise ValueError("a file of it is missing")
            self._files.put_back(table, contents)
            self._files.settle(self._name, table)
        states = unpacked(saved.header["generators"], saved.blobs)
        generators.put_back(states, frozenset())
        self._carried = saved.header["seconds"] - (time.monotonic() - self._began)
        if self._session is not None:
            self._session.counts.update(saved.header["counts"])
            for message in saved.header["said"]:
                self._session.say(**message)
            self._session.resumed(self._session.counts.get("epoch", 0))
            self._session.carried(self._carried)


@contextlib.contextmanager
def _remembered() -> Iterator[list[dict[str, object]]]:
    """What is said of the result meanwhile, where there is somebody who says it."""
    if not _allowed:
        yield []
        return
    said = _allowed[0].remember()
    try:
        yield said
    finally:
        _allowed[0].forget(said)


def _table(saved: Saved) -> list[Row]:
    return [Row(*row) for row in saved.header["files"]]
