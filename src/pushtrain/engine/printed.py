"""What a container prints: the engine's log stream, cut into lines."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Protocol

_FRAME = struct.Struct(">BxxxL")
"""Each piece of the stream: which output it comes from, and how many bytes follow.

Source: https://docs.docker.com/reference/api/engine/ (container attach, "Stream format").
"""
_RECORD = 80
"""Bytes of the engine's record of a piece besides its text, rounded up."""
_DOUBLED = b'"\\\n\r\t'
_SIXFOLD = bytes({*range(32), *b"<>&", *range(127, 256)} - {*_DOUBLED})
"""What JSON escapes, and how: as two bytes, or as six (also what is not UTF-8)."""


class Readable(Protocol):
    """What a response's body offers."""

    def read(self, amt: int) -> bytes:
        """At most `amt` bytes; fewer only at the end."""


def frames(body: Readable) -> Iterator[bytes]:
    """The pieces of a log stream, in the order in which they were printed."""
    while len(head := body.read(_FRAME.size)) == _FRAME.size:
        _, length = _FRAME.unpack(head)
        yield body.read(length)


def cost(piece: bytes) -> int:
    """Bytes that the engine's log (one JSON object a piece) needs at most for a piece."""
    doubled = len(piece) - len(piece.translate(None, _DOUBLED))
    sixfold = len(piece) - len(piece.translate(None, _SIXFOLD))
    return _RECORD + len(piece) + doubled + 5 * sixfold


class Lines:
    """Cuts pieces of text into lines, none longer than `most` bytes.

    Of a longer line nothing is given: it is dropped up to its newline.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._begun = bytearray()
        self._is_dropping = False

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The lines that end in `piece`, without their newlines."""
        *ends, rest = piece.split(b"\n")
        for end in ends:
            self._add(end)
            if not self._is_dropping:
                yield bytes(self._begun)
            self._begun.clear()
            self._is_dropping = False
        self._add(rest)

    def rest(self) -> Iterator[bytes]:
        """The last line, where the text ended without a newline."""
        if self._begun:
            yield bytes(self._begun)
            self._begun.clear()

    def _add(self, part: bytes) -> None:
        if self._is_dropping or len(self._begun) + len(part) > self._most:
            self._is_dropping = True
            self._begun.clear()
        else:
            self._begun += part
