"""Wrapping a framework's functions so that the script never notices."""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
import time
from collections.abc import Callable
from importlib._bootstrap import (  # type: ignore[attr-defined]
    _call_with_frames_removed,  # calls a function with its arguments, and is known by its name
)
from typing import Any

from pushtrain.worker.session import Session

_WRAPPED = "__pushtrain__"
"""Marks a wrapper with what goes around, so that nothing does twice."""


class Guard:
    """Which calls count: the outermost ones of the process that runs the script.

    Frameworks call their own public methods inside (a grid search fits, a pipeline scores), also
    from threads of their own; and a process that the script forks shares the session's channel.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.depth = 0
        self._process = os.getpid()

    @property
    def counts(self) -> bool:
        """Whether a call that begins now is one that the script itself makes."""
        return self.depth == 0 and self.is_here

    @property
    def is_here(self) -> bool:
        """Whether this is the process that runs the script."""
        return os.getpid() == self._process

    def quietly(self, what: str, observe: Callable[..., Any], *args: Any) -> Any:
        """What `observe` gives, or None and a note when it fails."""
        self.depth += 1  # what an observer calls is none of the script's calls
        try:
            return observe(*args)
        except Exception as error:
            self.session.note(f"{what} is not captured: {type(error).__name__}: {error}"[:500])
            return None
        finally:
            self.depth -= 1

    def run(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> tuple[Any, float]:
        """The script's own call, with everything inside it marked as nested; with its seconds."""
        self.depth += 1
        started = time.perf_counter()
        try:
            result = call(*args, **kwargs)
        finally:
            self.depth -= 1
        return result, time.perf_counter() - started


def guard(session: Session) -> Guard:
    """The one guard that all adapters of a session share."""
    known = session.shared.get("guard")
    if not isinstance(known, Guard):
        known = session.shared["guard"] = Guard(session)
    return known


def wrap(owner: Any, name: str, around: Callable[..., Any]) -> Callable[..., Any] | None:
    """Replaces `owner.name` by a function that calls `around(original, *args, **kwargs)`.

    Gives the original, or None where there is nothing to wrap. Name, documentation and signature
    stay as they were: frameworks inspect them.
    """
    original: Callable[..., Any] | None = inspect.getattr_static(owner, name, None)
    if isinstance(original, staticmethod):
        original = original.__func__
    if original is None or is_wrapped(original, around) or not callable(original):
        return None
    setattr(owner, name, dressed(original, around))
    return original


class _Around:
    """What goes around a function; in another process, where nobody listens, nothing does.

    Classes of the script itself travel to the processes of a pool by value, wrappers and all.
    """

    def __init__(self, around: Callable[..., Any]) -> None:
        self._around = around

    def __call__(self, original: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        return self._around(original, *args, **kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        # By what every Python has: the other process need not find this module.
        return functools.partial, (_call_with_frames_removed,)


def dressed(original: Callable[..., Any], around: Callable[..., Any]) -> Callable[..., Any]:
    """The wrapper itself."""
    known = getattr(original, _WRAPPED, frozenset()) | {around.__qualname__}
    around = _Around(around)

    @functools.wraps(original)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return around(original, *args, **kwargs)

    with contextlib.suppress(TypeError, ValueError):
        wrapper.__signature__ = inspect.signature(original)  # type: ignore[attr-defined]
    setattr(wrapper, _WRAPPED, known)
    return wrapper


def is_wrapped(original: Any, around: Callable[..., Any]) -> bool:
    """Whether this goes around it already."""
    return around.__qualname__ in getattr(original, _WRAPPED, ())


def argument(args: tuple[Any, ...], kwargs: dict[str, Any], index: int, name: str) -> Any:
    """An argument that may be given by its place or by its name, or None."""
    return args[index] if len(args) > index else kwargs.get(name)
