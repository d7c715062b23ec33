"""What a trial says of itself, checked and bounded, and the result that the worker makes of it.

The child is the user's own code: what it says is taken only in the shape that the protocol allows,
and how it ended is the worker's own knowledge.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from pushtrain.worker.events import encode
from pushtrain.worker.orders import VERSION, Order

_ROLES = {"reported", "held-out", "cross-validation", "validation", "printed", "training"}
_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_MOST = {"measurements": 20_000, "network": 1_000, "notes": 1_000, "refused": 1_000}
_MOST_EPOCHS = 100_000
_MOST_METRICS = 100
_MOST_PARAMETERS = 256 * 1024
"""Bytes of them all."""
_MOST_HEARD = 32 * 1024 * 1024
"""Bytes of all messages of a trial: the worker's memory is not the script's to fill."""
_THINNED = ("epochs", "measurements", "network", "notes", "refused")
MOST_BYTES = 4 * 1024 * 1024
"""Of result.json."""


@dataclass
class Ending:
    """How the trial's process ended, as the worker saw it."""

    code: int | None = None
    signal: int | None = None
    stopped: bool = False
    timed_out: bool = False
    stalled: bool = False
    disk_exceeded: bool = False
    oom_killed: bool = False
    pids_exceeded: bool = False
    shm_full: bool = False

    @property
    def is_clean(self) -> bool:
        """Whether the script came to its own end, without an error."""
        return self.code == 0


class Told(NamedTuple):
    """What the driver is to hear at once."""

    event: str
    fields: dict[str, Any]


class Outcome:
    """The result of one trial, as it grows."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._heard = 0
        self._parameters = 0
        self.carried = 0.0
        """Seconds that earlier attempts took for what this one continues from."""
        self._record: dict[str, Any] = {
            "error": None,
            "network": [],
            "measurements": [],
            "epochs": [],
            "resumed": None,
            "confusion": None,
            "parameters": {},
            "versions": {},
            "model": None,
            "seconds": {},
            "refused": [],
            "notes": [],
        }

    def take(self, message: bytes) -> Told | None:
        """Takes one message of the child; gives what is to be told while the trial runs.

        What is malformed or beyond a limit is left out.
        """
        self._heard += len(message)
        if self._heard > _MOST_HEARD:
            self.note("the trial told too much of itself: what came later is left out")
            return None
        try:
            fields = json.loads(message)
            kind = fields.pop("kind")
            taker = getattr(self, f"_take_{kind}", None)
            return taker(fields) if taker else None
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            return None

    def measure(self, metric: str, value: float, role: str, source: str) -> None:
        """Adds a measurement, whoever made it."""
        if role not in _ROLES or not metric:
            return
        self._add(
            "measurements",
            {"metric": metric[:200], "value": value, "role": role, "source": source[:500]},
        )

    def note(self, text: str) -> None:
        """Adds a note, once."""
        if text not in self._record["notes"]:
            self._add("notes", text[:2000])

    def refuse(self, refused: list[str]) -> None:
        """Adds what may not come out of the container."""
        for line in refused:
            self._add("refused", line[:2000])

    def lasted(self, seconds: float) -> None:
        """How long the trial's process ran, where it could not tell of its script itself."""
        self._record["seconds"].setdefault("script", round(seconds, 6))

    def keep_model_if(self, is_there: Callable[[str], bool]) -> None:
        """Forgets a model that the trial told of and did not leave."""
        model = self._record["model"]
        if model and not is_there(model["path"]):
            self._record["model"] = None
            self.note(f"the model is not there: {model['path']}")

    @property
    def epochs(self) -> list[dict[str, Any]]:
        """The epochs so far."""
        return list(self._record["epochs"])

    @property
    def measured_on_training_data(self) -> list[tuple[str, float]]:
        """Metrics and values that prove nothing but that."""
        return [
            (one["metric"], one["value"])
            for one in self._record["measurements"]
            if one["role"] == "training"
        ]

    @property
    def trained(self) -> list[tuple[str, float]]:
        """What the epochs said of training data."""
        return [
            (name, value)
            for epoch in self._record["epochs"]
            for name, value in epoch["metrics"].items()
            if not name.startswith("val_")
        ]

    def result(
        self, ending: Ending, log: dict[str, int], files: int | None = None
    ) -> dict[str, Any]:
        """The whole result, thinned where it would be longer than the protocol allows.

        Args:
            ending: how the script's process ended.
            log: bytes that were passed on and dropped.
            files: how many lie beside the result, where that is known.
        """
        result = {
            "protocol": VERSION,
            "trial": self._order.trial,
            "attempt": self._order.attempt,
            "exit": asdict(ending),
            **self._record,
            "log": log,
            "files": files,
        }
        while len(encode(result)) > MOST_BYTES:
            longest = max(_THINNED, key=lambda name: len(encode(result[name])))
            result[longest] = [*result[longest][:-1:2], result[longest][-1]]
            self.note(f"{longest}: only a part is kept")
        return result

    # --- one method for each kind of message -------------------------------------------------

    def _take_epoch(self, fields: dict[str, Any]) -> Told | None:
        epochs = self._record["epochs"]
        if len(epochs) >= _MOST_EPOCHS:
            return None
        named = list(fields["metrics"].items())[:_MOST_METRICS]
        metrics = {str(name)[:200]: _number(value) for name, value in named if name}
        number = len(epochs) + 1
        epoch = {"number": number, "metrics": metrics, "seconds": _seconds(fields["seconds"])}
        epochs.append(epoch)
        planned = fields.get("epochs")
        is_plan = type(planned) is int and number <= planned < 2**31
        return Told(
            "epoch",
            {
                "epoch": number,
                "epochs": planned if is_plan else None,
                "metrics": metrics,
                "seconds": epoch["seconds"],
            },
        )

    def _take_resumed(self, fields: dict[str, Any]) -> Told | None:
        epochs, before = _count(fields["epochs"]), self._record["resumed"]
        if epochs > len(self._record["epochs"]) or (before is not None and epochs <= before):
            return None
        self._record["resumed"] = epochs
        return Told("resumed", {"epochs": epochs})

    def _take_carried(self, fields: dict[str, Any]) -> None:
        self.carried += _seconds(fields["seconds"])

    def _take_measurement(self, fields: dict[str, Any]) -> None:
        self.measure(
            str(fields["metric"]),
            _number(fields["value"]),
            str(fields["role"]),
            str(fields["source"]),
        )

    def _take_error(self, fields: dict[str, Any]) -> None:
        self._record["error"] = {
            "type": str(fields["type"])[:200] or "Exception",
            "message": str(fields["message"])[:8000],
            "file": _place(fields)[0],
            "line": _place(fields)[1],
            "traceback": str(fields["traceback"])[-16000:],
        }

    def _take_network(self, fields: dict[str, Any]) -> None:
        port = fields.get("port")
        file, line = _place(fields)
        self._add(
            "network",
            {
                "host": str(fields["host"])[:255],
                "port": port if type(port) is int and 0 <= port < 65536 else None,
                "file": file,
                "line": line,
            },
        )

    def _take_confusion(self, fields: dict[str, Any]) -> None:
        labels = [str(label)[:200] or '""' for label in fields["labels"][:1000]]
        matrix = [[_count(cell) for cell in row] for row in fields["matrix"][:1000]]
        if labels and {len(labels)} == {len(matrix), *map(len, matrix)}:
            self._record["confusion"] = {"labels": labels, "matrix": matrix}

    def _take_parameters(self, fields: dict[str, Any]) -> None:
        values = _plain(fields["values"], depth=6)
        self._parameters += len(encode(values))
        if self._parameters <= _MOST_PARAMETERS:
            self._record["parameters"].update(values)

    def _take_versions(self, fields: dict[str, Any]) -> None:
        versions = self._record["versions"]
        for name, version in list(fields["values"].items())[: 500 - len(versions)]:
            if name:
                versions[str(name)[:200]] = str(version)[:200] or "unknown"

    def _take_model(self, fields: dict[str, Any]) -> None:
        self._record["model"] = {
            "path": str(fields["path"])[:500],
            "format": str(fields["format"])[:50] or "unknown",
        }

    def _take_seconds(self, fields: dict[str, Any]) -> None:
        name = str(fields["name"])[:100]
        if name and len(self._record["seconds"]) < 100:
            self._record["seconds"][name] = _seconds(fields["value"])

    def _take_note(self, fields: dict[str, Any]) -> None:
        self.note(str(fields["text"]))

    def _add(self, name: str, value: object) -> None:
        if len(self._record[name]) < _MOST[name]:
            self._record[name].append(value)


def _number(value: object) -> float:
    if isinstance(value, str):
        return _NOT_FINITE[value]
    return float(value)  # type: ignore[arg-type]  # a TypeError is the answer for anything else


def _seconds(value: object) -> float:
    seconds = float(value)  # type: ignore[arg-type]
    return round(seconds, 6) if math.isfinite(seconds) and seconds >= 0 else 0.0


def _count(value: object) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError("not a count")
    return value


def _place(fields: dict[str, Any]) -> tuple[str | None, int | None]:
    file, line = fields.get("file"), fields.get("line")
    is_line = type(line) is int and 1 <= line < 2**31
    return (str(file)[:2000] if file else None), (line if is_line else None)


def _plain(value: Any, depth: int) -> Any:
    if isinstance(value, dict) and depth:
        return {str(k)[:200]: _plain(v, depth - 1) for k, v in list(value.items())[:500]}
    if isinstance(value, list) and depth:
        return [_plain(item, depth - 1) for item in value[:500]]
    if isinstance(value, (bool, int, float)) or value is None:
        return value if not isinstance(value, int) or abs(value) < 2**63 else str(value)[:100]
    return str(value)[:2000]
