"""One module of rules and one file of data for each framework.

A framework's module has one function `find(facts) -> Finding | None`: what it trains in the
program, or None when it trains nothing there. To add a framework, write `<name>.py` and
`<name>.toml` and name its `find` here.
"""

from __future__ import annotations

from collections.abc import Callable

from pushtrain.detect.facts import Facts, Finding
from pushtrain.detect.frameworks import keras, others, sklearn

FINDERS: tuple[Callable[[Facts], Finding | None], ...] = (keras.find, sklearn.find, others.find)
