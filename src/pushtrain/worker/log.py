"""What a trial prints: from raw bytes to lines of clean text, up to a limit.

Beyond the limit text is counted and dropped, but for the last of it: an error stands at the end.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_PIECE = 64 * 1024
"""Bytes of one piece of text, and of the end that is kept beyond the limit."""

_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])?"  # CSI, OSC, others
    r"|[\x00-\x07\x0b\x0c\x0e-\x1f\x7f]"  # control characters but \b, \t, \n, \r
)


class Log:
    """Takes what was read from the trial's pipe; hands on pieces of whole lines.

    Args:
        most: bytes of text that are handed on in all.
        on_text: gets each piece, at most 64 KiB.
    """

    def __init__(self, most: int, on_text: Callable[[str], None]) -> None:
        self._end = min(_PIECE, most // 4)
        self._left = most - self._end
        self._on_text = on_text
        self._partial = b""
        self._tail: bytes | None = None
        self.bytes = 0
        self.dropped = 0

    def feed(self, data: bytes) -> None:
        """Takes the next bytes, cut anywhere."""
        if self._tail is not None:
            self._drop(data)
            return
        whole, newline, rest = (self._partial + data).rpartition(b"\n")
        if len(rest) > _PIECE:
            rest = _last_state(rest)
        if len(rest) > _PIECE:
            whole, newline, rest = whole + newline + rest, b"", b""
        self._partial = rest
        self._pass_on(whole + newline)

    def settle(self) -> None:
        """Hands on a line that has not ended, such as a question; a progress bar waits."""
        if self._partial and b"\r" not in self._partial and b"\b" not in self._partial:
            self._flush()

    def close(self) -> None:
        """Hands on what is left: an unfinished line, or the end of a log over its limit."""
        self._flush()
        if self._tail is None:
            return
        tail, self._tail = self._tail, None
        if self.dropped > len(tail):
            tail = tail.partition(b"\n")[2] or tail
        self.dropped -= len(tail)
        self._left = self._end + _PIECE
        if self.dropped:
            self._emit(f"[... {self.dropped} bytes are not kept ...]\n")
        self._emit(_clean(tail)[-self._end :])

    def _flush(self) -> None:
        whole, self._partial = self._partial, b""
        self._pass_on(whole)

    def _pass_on(self, raw: bytes) -> None:
        while raw:
            end = raw.rfind(b"\n", 0, _PIECE) + 1 or _PIECE
            text = _clean(raw[:end])
            size = len(text.encode())
            if size > self._left:
                self._drop(raw + self._partial)
                self._partial = b""
                return
            self._left -= size
            self._emit(text)
            raw = raw[end:]

    def _emit(self, text: str) -> None:
        if text:
            self.bytes += len(text.encode())
            self._on_text(text)

    def _drop(self, raw: bytes) -> None:
        self.dropped += len(raw)
        self._tail = ((self._tail or b"") + raw[-self._end :])[-self._end :]


def _clean(raw: bytes) -> str:
    """Text without terminal codes; of a line that was overwritten its last state."""
    text = _ESCAPES.sub("", raw.decode("utf-8", "replace"))
    if "\r" not in text and "\b" not in text:
        return text
    return "\n".join(_overwritten(line) for line in text.split("\n"))


def _overwritten(line: str) -> str:
    last = line.rstrip("\r").rpartition("\r")[2]
    return last.strip("\b").rpartition("\b")[2]


def _last_state(line: bytes) -> bytes:
    _, cut, last = line.rpartition(b"\r")
    return last if cut else line
