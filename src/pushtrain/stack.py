"""Room on CPython's stack of frames, outside and inside a training container."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

_WORDS = 1 << 16
_F = TypeVar("_F", bound=Callable[..., object])


def roomy(function: _F) -> _F:
    """Lets calls from a function go 500 KiB deep without crossing the end of a chunk.

    CPython keeps its frames in chunks of 16 KiB from version 3.11 on (`push_chunk` in
    Python/pystate.c). A loop that calls across the end of a chunk maps and unmaps one each time:
    500 times in each epoch of a small training, if the frames below it are just so deep. A frame
    of 512 KiB gets a chunk of 1 MiB, whose rest is for all that it calls; memory that nobody
    touches costs nothing.
    """
    code = function.__code__
    function.__code__ = code.replace(co_stacksize=_WORDS)
    return function
