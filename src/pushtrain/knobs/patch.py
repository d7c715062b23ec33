"""Changed files as a patch that `git apply` takes."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path

from pushtrain.errors import KnobError

_NO_NEWLINE = b"\n\\ No newline at end of file\n"
_ESCAPES = dict(zip(b'\a\b\t\n\v\f\r"\\', 'abtnvfr"\\', strict=True))
"""Bytes that git writes as a backslash and a letter."""


def patch(root: Path, changed: Mapping[str, bytes]) -> bytes:
    """The difference between files below `root` and their new contents.

    Lines are cut at line feeds alone and copied byte for byte, whatever their encoding and
    whether they end in CRLF, as git does.

    Args:
        root: the tree as pushed.
        changed: POSIX path relative to `root` -> whole new content.

    Returns:
        A unified diff in git's format, empty when nothing differs.

    Raises:
        KnobError: a file is not there.
    """
    parts: list[bytes] = []
    for path in sorted(changed):
        try:
            before = (root / path).read_bytes()
        except OSError as error:
            raise KnobError(
                f"{path} cannot be read for the patch: {error.strerror}",
                hint="the tree must be the one that was pushed",
                file=path,
            ) from None
        if before != changed[path]:
            parts.extend(_file(path, before, changed[path]))
    return b"".join(parts)


def _file(path: str, before: bytes, after: bytes) -> Iterator[bytes]:
    old, new = _quoted(f"a/{path}"), _quoted(f"b/{path}")
    tab = b"\t" if b" " in old else b""  # ends a name that has spaces
    yield b"diff --git %s %s\n--- %s%s\n+++ %s%s\n" % (old, new, old, tab, new, tab)
    lines = difflib.diff_bytes(
        difflib.unified_diff, _lines(before), _lines(after), b"", b"", lineterm=b"\n"
    )
    for number, line in enumerate(lines):
        if number >= 2:  # the first two name the files
            yield line if line.endswith(b"\n") else line + _NO_NEWLINE


def _lines(content: bytes) -> list[bytes]:
    lines = [line + b"\n" for line in content.split(b"\n")]
    last = lines.pop().removesuffix(b"\n")
    return [*lines, last] if last else lines


def _quoted(path: str) -> bytes:
    """A path as git writes it (quote_c_style in git's quote.c)."""
    raw = path.encode("utf-8", "surrogateescape")
    if all(32 <= byte < 127 and byte not in b'"\\' for byte in raw):
        return raw
    text = "".join(map(_escaped, raw))
    return f'"{text}"'.encode("ascii")


def _escaped(byte: int) -> str:
    if byte in _ESCAPES:
        return f"\\{_ESCAPES[byte]}"
    return chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}"
