"""Wrapping the methods of all estimator classes: those there are, and those still to come."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from pushtrain.worker.adapters.wrapping import dressed, is_wrapped


def follow_classes(arounds: dict[str, Callable[..., Any]]) -> None:
    """Wraps the named methods wherever an estimator's class, or a mixin of it, defines them."""
    root: Any = sys.modules["sklearn.base"].BaseEstimator
    pending = [root]
    while pending:
        one = pending.pop()
        _follow(one, arounds)
        pending += one.__subclasses__()
    own = vars(root).get("__init_subclass__")

    def init_subclass(cls: Any, /, **kwargs: Any) -> None:
        if own is not None:
            own.__func__(cls, **kwargs)
        else:
            super(root, cls).__init_subclass__(**kwargs)
        _follow(cls, arounds)

    root.__init_subclass__ = classmethod(init_subclass)


def _follow(estimator: type, arounds: dict[str, Callable[..., Any]]) -> None:
    for one in estimator.__mro__[:-1]:
        for name, around in arounds.items():
            _wrap(one, name, around)


def _wrap(one: type, name: str, around: Callable[..., Any]) -> None:
    method = vars(one).get(name)
    if method is None or is_wrapped(method, around):
        return
    inner = getattr(method, "fn", None)  # of methods that are there only on conditions
    if inner is not None and hasattr(method, "check"):
        if not is_wrapped(inner, around):
            method.fn = dressed(inner, around)
    elif callable(method) and hasattr(method, "__get__"):
        setattr(one, name, dressed(method, around))
