"""What a container prints, in whatever pieces it comes: the same lines, none too long."""

from __future__ import annotations

import io
import json
import struct

from hypothesis import given
from hypothesis import strategies as st

from pushtrain.engine.printed import Lines, cost, frames

MOST = 12


def lines(pieces: list[bytes]) -> list[bytes]:
    made = Lines(MOST)
    return [line for piece in pieces for line in made.feed(piece)] + list(made.rest())


@given(st.lists(st.lists(st.sampled_from([b"a", b"\xff", b"\n", b"\r", b"b" * 7])).map(b"".join)))
def test_lines_are_the_same_however_the_text_is_cut(pieces: list[bytes]) -> None:
    *whole, rest = b"".join(pieces).split(b"\n")
    expected = [line for line in whole if len(line) <= MOST]
    assert lines(pieces) == expected + ([rest] if 0 < len(rest) <= MOST else [])


@given(st.lists(st.binary(max_size=20)))
def test_a_stream_gives_its_pieces(pieces: list[bytes]) -> None:
    body = b"".join(struct.pack(">BxxxL", 1, len(piece)) + piece for piece in pieces)
    assert list(frames(io.BytesIO(body))) == pieces


@given(st.lists(st.binary(max_size=20), min_size=1), st.data())
def test_a_stream_that_is_cut_off_gives_a_beginning(
    pieces: list[bytes], data: st.DataObject
) -> None:
    body = b"".join(struct.pack(">BxxxL", 1, len(piece)) + piece for piece in pieces)
    cut = list(frames(io.BytesIO(body[: data.draw(st.integers(0, len(body)))])))
    assert b"".join(pieces).startswith(b"".join(cut))


@given(st.binary(max_size=200))
def test_a_piece_costs_no_less_than_the_engine_writes(piece: bytes) -> None:
    text = piece.decode("utf-8", "replace")
    record = {"log": text, "stream": "stdout", "time": "2026-01-01T00:00:00.000000000Z"}
    written = json.dumps(record, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":  # Go escapes these as well
        written = written.replace(sign, f"\\u{ord(sign):04x}")
    assert len(written.encode()) <= cost(piece)
