"""From raw bytes to lines of clean text, up to a limit."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pushtrain.worker.log import Log


def logged(*pieces: bytes, most: int = 1_000_000) -> list[str]:
    texts: list[str] = []
    log = Log(most, texts.append)
    for piece in pieces:
        log.feed(piece)
    log.close()
    assert log.bytes == sum(len(text.encode()) for text in texts)
    return texts


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"plain\n", "plain\n"),
        (b"\x1b[1;31mred\x1b[0m\n", "red\n"),
        (b"\x1b]0;title\x07text\n", "text\n"),
        (b" 10%\r 50%\r100%\n", "100%\n"),
        (b"1/2 loss 3\x08\x08\x08\x08\x08\x08\x08\x08\x08\x082/2 loss 1\n", "2/2 loss 1\n"),
        (b"windows\r\n", "windows\n"),
        (b"caf\xc3\xa9 \xff\n", "café �\n"),
        (b"a\x00b\tc\n", "ab\tc\n"),
    ],
)
def test_terminal_codes_become_what_a_terminal_would_show(raw: bytes, text: str) -> None:
    assert "".join(logged(raw)) == text


def test_a_line_is_handed_on_when_it_is_whole() -> None:
    texts: list[str] = []
    log = Log(1000, texts.append)

    log.feed(b"one\ntw")
    assert texts == ["one\n"]
    log.feed(b"o\n")
    assert texts == ["one\n", "two\n"]


def test_a_question_is_handed_on_and_a_progress_bar_waits() -> None:
    texts: list[str] = []
    log = Log(1000, texts.append)

    log.feed(b"How many epochs? ")
    log.settle()
    assert texts == ["How many epochs? "]
    log.feed(b"\n 10%\r 20%")
    log.settle()
    assert texts == ["How many epochs? ", "\n"]


@settings(deadline=None)
@given(st.lists(st.binary(max_size=300)), st.integers(min_value=64, max_value=400))
def test_it_is_bounded_however_the_bytes_are_cut(pieces: list[bytes], most: int) -> None:
    texts = logged(*pieces, most=most)

    assert sum(len(text.encode()) for text in texts) <= 4 * most + 64
    assert all(len(text) <= 64 * 1024 for text in texts)


@settings(deadline=None)
@given(st.lists(st.text(st.characters(codec="ascii", categories=("L", "N", "P")), max_size=50)))
def test_within_its_limit_nothing_is_lost(lines: list[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    raw = text.encode()

    cut = len(raw) // 3
    assert "".join(logged(raw[:cut], raw[cut : 2 * cut], raw[2 * cut :])) == text


def test_beyond_its_limit_the_beginning_and_the_end_are_kept() -> None:
    lines = [f"line {number}\n".encode() for number in range(10_000)]

    text = "".join(logged(*lines, most=2000))

    assert text.startswith("line 0\nline 1\n")
    assert text.endswith("line 9999\n")
    assert "bytes are not kept" in text
    assert len(text) < 2200
