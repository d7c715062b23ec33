"""The script's own calls that train, remembered across attempts.

What a call has changed is saved under its number; where the next attempt comes to the same call
with the same data, model and generators, it is not computed again but has the same effects. A call
that is not saved, for whatever reason, is computed: that is slower, and ends the same.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pushtrain.worker import cgroup
from pushtrain.worker.adapters.effects import Before, Effects
from pushtrain.worker.adapters.wrapping import guard
from pushtrain.worker.checkpoints import Pace, Saved
from pushtrain.worker.session import Session

_NAME = "sklearn"
_OTHERS = frozenset(
    {"__main__", "jax", "keras", "pushtrain", "scikeras", "skorch"}
    | {"tensorflow", "tf_keras", "torch"}
)
"""Modules that do more in a call than their objects show, or are followed in another way."""
_SHARE = 0.02
"""Of the time: for looking at the calls of one kind, and as much again for writing."""
_MOST_PRINTED = 256 * 1024
"""Characters that a saved call may print."""


@dataclass(frozen=True)
class _Call:
    """A call as it is saved: what it is, and how it went."""

    number: int
    kind: str
    digest: str
    seconds: float
    printed: list[list[Any]]
    effects: bytes = b""

    @property
    def header(self) -> dict[str, Any]:
        """All of it but the effects."""
        return {name: value for name, value in vars(self).items() if name != "effects"}


@dataclass(frozen=True)
class _File:
    """What is known of a checkpoint: its bytes, and how many seconds computing it again takes."""

    size: int
    seconds: float


class Memo:
    """The memory of one script's calls."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._guard = guard(session)
        self._checkpoints = session.checkpoints
        self._most = session.checkpoints.most // 2  # the others need room as well
        self._can_save = session.checkpoints.directory.is_dir()
        self._looking: dict[str, Pace] = {}
        self._writing = Pace(_SHARE)
        self._unwritten: list[_Call] = []
        self._files: dict[str, _File] = {}
        self._open: tuple[str, Saved] | None = None
        if session.resumes:
            for name in self._checkpoints.names():
                if name.startswith(_NAME):
                    self._files[name] = _File(self._checkpoints.size(name), 0.0)

    def run(
        self,
        call: Callable[..., Any],
        model: Any,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> tuple[Any, float]:
        """What an outermost call of the script gives, and the seconds that computing it takes.

        Args:
            call: a method, or a function.
            model: whose method it is; None for a function.
            args: all other arguments.
            kwargs: those by name.
        """
        arguments = args, kwargs
        args = args if model is None else (model, *args)
        if not self._can_save or threading.current_thread() is not threading.main_thread():
            return self._guard.run(call, *args, **kwargs)
        counts = self._session.counts
        number = counts[_NAME] = counts.get(_NAME, 0) + 1
        kind = f"{type(model).__module__}.{type(model).__qualname__}.{call.__name__}"
        began = time.monotonic()
        before = self._silently(self._look, number, kind, model, arguments)
        if before is None:
            return self._guard.run(call, *args, **kwargs)
        known = self._silently(self._recall, number, kind, before)
        if known is not None:
            self._session.resumed(0)
            result, seconds = self._again(*known)
            self._session.carried(seconds - (time.monotonic() - began))
            return result, seconds
        looked = time.monotonic() - began
        printed: list[list[Any]] = []
        with _listening(printed):
            result, seconds = self._guard.run(call, *args, **kwargs)
        began = time.monotonic()
        done = _Call(number, kind, before.digest, seconds, printed)
        self._silently(self._keep, done, before, result)
        self._looking[kind].spent(looked + time.monotonic() - began)
        self._silently(self._write)
        return result, seconds

    # --- what an earlier attempt has left ------------------------------------------------------

    def _look(self, number: int, kind: str, model: Any, arguments: Any) -> Before | None:
        began = time.monotonic()
        pace = self._looking.setdefault(kind, Pace(_SHARE))
        if not pace.is_due(began) and not any(_covers(name, number) for name in self._files):
            return None
        try:
            return Before(model, arguments, self._is_unfit)
        finally:
            pace.spent(time.monotonic() - began)

    def _recall(self, number: int, kind: str, before: Before) -> tuple[_Call, Effects] | None:
        for name in [name for name in self._files if _covers(name, number)]:
            saved = self._saved(name)
            for header in saved.header["calls"] if saved else ():
                same = (header["number"], header["kind"], header["digest"])
                if saved and same == (number, kind, before.digest):
                    return _Call(**header), before.effects(saved.blobs[str(number)])
        return None

    def _saved(self, name: str) -> Saved | None:
        if self._open is None or self._open[0] != name:
            self._open = None  # before the next one comes into memory
            saved = self._checkpoints.load(name)
            if saved is None:
                del self._files[name]
                return None
            self._open = name, saved
            seconds = sum(call["seconds"] for call in saved.header["calls"])
            self._files[name] = _File(self._files[name].size, seconds)
        return self._open[1]

    @staticmethod
    def _again(call: _Call, effects: Effects) -> tuple[Any, float]:
        for stream, text in call.printed:
            getattr(sys, stream).write(text)
        return effects.happen(), call.seconds

    # --- what this attempt leaves --------------------------------------------------------------

    def _keep(self, call: _Call, before: Before, result: Any) -> None:
        self._open = None
        if sum(len(text) for _, text in call.printed) <= _MOST_PRINTED:
            # Pickling needs some copies for a moment, and the script the rest of the memory.
            most = cgroup.spare() // 8 - sum(len(one.effects) for one in self._unwritten)
            effects = before.after(result, min(self._most, most))
            self._unwritten.append(replace(call, effects=effects))

    def _write(self) -> None:
        """Writes what is not yet written, when that is due."""
        if not self._unwritten or not self._writing.is_due(time.monotonic()):
            return
        began = time.monotonic()
        calls, self._unwritten = self._unwritten, []
        name = f"{_NAME}-{calls[0].number}-{calls[-1].number}"
        size = sum(len(call.effects) for call in calls)
        try:
            if self._is_worth(name, _File(size, sum(call.seconds for call in calls))):
                header = {"calls": [call.header for call in calls]}
                blobs = {str(call.number): call.effects for call in calls}
                self._checkpoints.save(name, header, blobs)
        except OSError as error:
            self._files.pop(name, None)
            self._session.note(f"fits of scikit-learn are not all saved: {error}")
        finally:
            self._writing.spent(time.monotonic() - began)

    def _is_worth(self, name: str, file: _File) -> bool:
        """Makes room by forgetting what is computed again most quickly for its size."""
        self._files[name] = file
        by_worth = sorted(self._files, key=lambda one: self._files[one].seconds / self._size(one))
        for least in by_worth:
            if sum(map(self._size, self._files)) <= self._most:
                break
            del self._files[least]
            if least != name:
                self._checkpoints.forget(least)
        return name in self._files

    def _size(self, name: str) -> int:
        return self._files[name].size + 4096

    def _is_unfit(self, module: str) -> bool:
        if module.partition(".")[0] in _OTHERS:
            return True
        file = getattr(sys.modules.get(module), "__file__", None)
        return isinstance(file, str) and bool(self._session.frames.relative(file))

    def _silently(self, function: Callable[..., Any], *args: Any) -> Any:
        """What it gives; None where anything is amiss, for a call can always be computed."""

        def silent() -> Any:
            try:
                return function(*args)
            except Exception:
                return None

        return self._guard.quietly("a checkpoint", silent)


def _covers(name: str, number: int) -> bool:
    first, _, last = name[len(_NAME) + 1 :].partition("-")
    return first.isdigit() and last.isdigit() and int(first) <= number <= int(last)


class _Heard:
    """A stream of the script's, of which is kept what is written to it."""

    def __init__(self, name: str, printed: list[list[Any]]) -> None:
        self._stream = getattr(sys, name)
        self._name = name
        self._printed: list[list[Any]] | None = printed

    def write(self, text: str) -> Any:
        """As the stream's own; a library may hold on to it and write after the call."""
        if self._printed is not None and len(self._printed) < _MOST_PRINTED:
            self._printed.append([self._name, text])
        return self._stream.write(text)

    def writelines(self, lines: Iterator[str]) -> None:
        """As the stream's own."""
        for line in lines:
            self.write(line)

    def close_ears(self) -> None:
        """Nothing is kept from now on."""
        self._printed = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def _listening(printed: list[list[Any]]) -> Iterator[None]:
    """Keeps (name of the stream, text) of all that is written meanwhile."""
    streams = {name: getattr(sys, name) for name in ("stdout", "stderr")}
    heard = {name: _Heard(name, printed) for name in streams}
    for name, one in heard.items():
        setattr(sys, name, one)
    try:
        yield
    finally:
        for name, one in heard.items():
            one.close_ears()
            if getattr(sys, name) is one:
                setattr(sys, name, streams[name])
