"""Seeds: the same order trains the same model, bit for bit, where the framework allows."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pushtrain.worker.imports import ImportHook


def sow(seed: int, imports: ImportHook) -> None:
    """Seeds what draws random numbers, once it is there."""
    random.seed(seed)
    imports.follow("numpy", lambda name: sys.modules[name].random.seed(seed % 2**32))


@contextmanager
def unmoved() -> Iterator[None]:
    """Leaves the generators that a running script may have seeded as they are."""
    own = random.getstate()
    numpy = sys.modules.get("numpy")
    theirs = numpy.random.get_state() if numpy else None
    try:
        yield
    finally:
        random.setstate(own)
        if numpy and theirs:
            numpy.random.set_state(theirs)
