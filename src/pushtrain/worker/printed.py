"""What a script prints, read for metrics: the last resort.

Only what says of itself that it is a result counts: "Test accuracy: 0.9712", "accuracy=97.1%",
"acc 0.93". A line about training, and a line of a progress bar, count only for what they say of
validation or test data.
"""

from __future__ import annotations

import bisect
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from pushtrain.worker.adapters.names import canonical, names

_MOST_LINE = 2_000
_MOST = 2_000

_ALSO = {
    "r_2": "r2",
    "r_squared": "r2",
    "f_score": "f1",
    "fscore": "f1",
    "f1_measure": "f1",
    "auroc": "auc",
    "logloss": "log_loss",
    "cross_entropy": "log_loss",
    "dice": "dice",
    "dice_score": "dice",
    "dice_coefficient": "dice",
    "perplexity": "perplexity",
    "ari": "adjusted_rand",
    "nmi": "normalized_mutual_info",
}
_KNOWN = {**names(), **_ALSO}
_SHARES = {
    "accuracy",
    "balanced_accuracy",
    "top_k_accuracy",
    "precision",
    "recall",
    "f1",
    "auc",
    "average_precision",
    "iou",
    "dice",
}
_NUMBER = r"(?P<value>[-+]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?)\s?(?P<percent>%)?(?![\w.])"
_TOLD = re.compile(r"(?:[:=]|\b(?:is|was)\b)\s*" + _NUMBER)
_BESIDE = re.compile(r"[ \t]+(?P<value>\d*\.\d+(?:[eE][-+]?\d+)?)\s?(?P<percent>%)?(?![\w.])")
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x08\x00]")
_PROGRESS = re.compile(
    r"\bepochs?\b|/step|\bETA\b|it/s\b|\b(batch|iter|iteration|step)\b|━|\[=", re.I
)
_TRAINING = re.compile(r"^(train|training|fit|fitting|trn)$")
_HELD = re.compile(
    r"^(test|testing|tst|val|valid|validation|eval|evaluation|held|holdout|unseen|dev)$"
)
_AFTER = {"score", "value", "rate", "final", "total", "overall", "mean", "average", "avg"}
_ABOUT = {"on", "for", "over", "in", "with", "using", "of", "at", "by"}


class Printed:
    """Takes printed text; gives the metrics that it names."""

    def __init__(self) -> None:
        self._rest = ""
        self._found: list[tuple[_Result, str]] = []

    def feed(self, text: str) -> None:
        """Takes the next piece."""
        *lines, self._rest = re.split(r"[\r\n]+", self._rest + text)
        self._rest = self._rest[-_MOST_LINE:]
        for line in lines:
            self._take(line)

    def measurements(
        self,
        measured: Iterable[tuple[str, float]] = (),
        trained: Iterable[tuple[str, float]] = (),
    ) -> list[tuple[str, float, str]]:
        """(metric, value, source), as they were printed.

        A value that only repeats what is known from training data proves no more than that does:
        it is left out.

        Args:
            measured: what the script measured on training data, by metric.
            trained: what its epochs said of training data; a line that speaks of test data is
                taken at its word there.
        """
        rest, self._rest = self._rest, ""
        self._take(rest)
        told, learnt = _by_metric(measured), _by_metric(trained)
        return [
            (result.metric, result.value, source)
            for result, source in self._found
            if not result.repeats(told) and (result.is_held_out or not result.repeats(learnt))
        ]

    def _take(self, line: str) -> None:
        line = _ESCAPE.sub("", line).strip()
        if not line or len(line) > _MOST_LINE or not any(map(str.isdigit, line)):
            return
        for result in _read(line):
            self._found.append((result, f'printed: "{line[:120]}"'))
        del self._found[:-_MOST]


class _Result(NamedTuple):
    metric: str
    value: float
    precision: float
    is_held_out: bool

    def repeats(self, known: Mapping[str, list[float]]) -> bool:
        """Whether it is one of these sorted values, as far as its digits tell."""
        values = known.get(self.metric, [])
        place = bisect.bisect_left(values, self.value - self.precision)
        return place < len(values) and values[place] <= self.value + self.precision


def _by_metric(known: Iterable[tuple[str, float]]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for name, value in known:
        if not math.isnan(value):
            found.setdefault(canonical(name), []).append(value)
    return {metric: sorted(values) for metric, values in found.items()}


def _read(line: str) -> Iterator[_Result]:
    is_progress = bool(_PROGRESS.search(line))
    context = ""
    start = 0
    while match := _TOLD.search(line, start) or _BESIDE.search(line, start):
        beside = _BESIDE.search(line, start)
        if beside is not None and beside.start() < match.start():
            match = beside
        words = re.findall(r"[a-z]+\d?|\d+", _spaced(line[start : match.start()]))
        for word in words:
            if _TRAINING.match(word):
                context = "training"
            elif _HELD.match(word):
                context = "held"
        metric = _metric(words, is_told=match.re is _TOLD)
        start = match.end()
        if metric and (context == "held" or (not context and not is_progress)):
            value = _value(metric, match)
            if value is not None:
                yield _Result(metric, value, _precision(match, value), context == "held")


def _metric(words: list[str], is_told: bool) -> str:
    """The metric that the words before a number name, or an empty string."""
    for end in range(len(words), 0, -1):
        for begin in range(max(0, end - 4), end):
            name = "_".join(words[begin:end])
            if name in _KNOWN:
                after = words[end:]
                is_plain = all(word in _AFTER or _HELD.match(word) for word in after)
                is_about = bool(after) and after[0] in _ABOUT
                is_named = is_plain or is_about if is_told else not after
                return _KNOWN.get(name, canonical(name)) if is_named else ""
    return ""


def _value(metric: str, match: re.Match[str]) -> float | None:
    value = float(match["value"])
    if match["percent"]:
        return value / 100
    if metric in _SHARES:
        if 1 < value <= 100:
            return value / 100
        return value if 0 <= value <= 1 else None
    return value


def _precision(match: re.Match[str], value: float) -> float:
    """Half of the last digit that was printed, in terms of the value."""
    written = float(match["value"])
    mantissa, _, exponent = match["value"].lower().partition("e")
    digits = len(mantissa.partition(".")[2]) - int(exponent or 0)
    scale = value / written if written else 1.0
    return float(0.500001 * 10.0**-digits * abs(scale))


def _spaced(text: str) -> str:
    """In lower case, with the words of a name apart: "valAcc", "val_acc", "F1-score", "R^2"."""
    text = re.sub(r"([a-z])([A-Z])", r"\1 \2", text)
    return re.sub(r"[_\W]+", " ", text).lower()
