"""The names of metrics: one canonical spelling each, its direction, and the values it can take."""

from __future__ import annotations

import math
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from pushtrain.entities import Direction

_PREFIX = re.compile(r"^(val|valid|validation|test|testing|eval|final|best|mean)_+(?=\w)")
_COPY = re.compile(r"_\d+$")
_SMALLER_IS_BETTER = re.compile(
    r"(^|_)(loss|error|err|mse|rmse|mae|mape|distance|divergence|perplexity|(cross_?)?entropy"
    r"|deviance|hinge|wer|cer|fid|cost|regret)(_|$)"
)


@dataclass(frozen=True, slots=True)
class Metric:
    """What is known of a metric: canonical name, direction, lowest and highest possible value."""

    name: str
    direction: Direction
    low: float = -math.inf
    high: float = math.inf

    @property
    def is_share(self) -> bool:
        """Whether it is a share of 1, which people like to state in percent."""
        return (self.low, self.high) == (0.0, 1.0)


def canonical(name: str) -> str:
    """The canonical spelling: `Val-Acc` and `accuracy_score` are "accuracy".

    Keras numbers a second metric of the same class (`auc_1`); the number is dropped when what
    remains is known. Unknown names come out in lower case with "_" between words.
    """
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name.strip())
    spelled = re.sub(r"[^\w]+", "_", words.lower()).strip("_")
    names = _canonical_names()
    while spelled not in names and _COPY.sub("", spelled) not in names:
        shorter = _PREFIX.sub("", spelled)
        if shorter == spelled:
            return spelled
        spelled = shorter
    return names.get(spelled) or names[_COPY.sub("", spelled)]


def known(name: str) -> Metric | None:
    """What the table says of a metric under any of its names, or None."""
    return _table().get(canonical(name))


def direction_of(name: str) -> tuple[Direction, bool]:
    """Which way a metric gets better, and whether that is known (else: higher is assumed).

    A name outside the table is judged by its words: "my_loss" and "word_error" are minimised,
    "neg_mean_squared_error" (scikit-learn's scorers) is maximised.
    """
    if metric := known(name):
        return metric.direction, True
    spelled = canonical(name)
    if spelled.startswith(("neg_", "negative_")):
        return Direction.MAXIMIZE, True
    if _SMALLER_IS_BETTER.search(spelled):
        return Direction.MINIMIZE, True
    return Direction.MAXIMIZE, False


@cache
def _table() -> dict[str, Metric]:
    raw = tomllib.loads((files("pushtrain") / "metrics.toml").read_text("utf-8"))
    return {
        name: Metric(name, Direction(row["direction"]), *row.get("bounds", ()))
        for name, row in raw.items()
    }


@cache
def _canonical_names() -> dict[str, str]:
    raw = tomllib.loads((files("pushtrain") / "metrics.toml").read_text("utf-8"))
    return {alias: name for name, row in raw.items() for alias in (name, *row["aliases"])}
