"""What the worker says: one JSON object a line on the standard output it started with."""

from __future__ import annotations

import json
import math
import os
import time
from typing import Any

MOST = 256 * 1024
"""Bytes of one line."""


class Events:
    """Writes events to a file descriptor that only the worker holds."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._seq = 0

    def say(self, event: str, **fields: Any) -> None:
        """Writes one event; a trial's result that is too long for a line is left to its file."""
        self._seq += 1
        record = {"v": 1, "seq": self._seq, "time": round(time.time(), 3), "event": event}
        line = encode({**record, **fields})
        if len(line) >= MOST and "result" in fields:
            line = encode({**record, **fields, "result": None})
        rest = memoryview(line + b"\n")
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def close(self) -> None:
        """In a forked child, which has nothing to say here."""
        os.close(self._descriptor)


def encode(value: object) -> bytes:
    """Compact JSON in UTF-8; numbers that are not finite as the protocol spells them."""
    text = json.dumps(finite(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def finite(value: object) -> object:
    """A copy in which NaN and the infinities are the strings "NaN", "Infinity", "-Infinity"."""
    if isinstance(value, dict):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value
