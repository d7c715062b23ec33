"""A patch as coloured lines."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pushtrain.report.diff import MOST_LINES, diff_lines
from support import records


def test_lines_are_told_apart() -> None:
    kinds = [line.kind for line in diff_lines(records.PATCH)]
    assert kinds[:4] == ["file", "file", "file", "place"]
    assert kinds.count("added") == kinds.count("removed") == 2


def test_a_removed_line_that_looks_like_a_header_is_removed() -> None:
    patch = b"diff --git a/q.sql b/q.sql\n@@ -1,1 +1,0 @@\n--- a comment\n"
    assert diff_lines(patch)[-1].kind == "removed"


@given(st.binary(max_size=2_000))
def test_anything_can_be_shown(patch: bytes) -> None:
    assert len(diff_lines(patch)) <= MOST_LINES + 1


def test_an_endless_patch_is_cut() -> None:
    lines = diff_lines(b"x\n" * 5_000)
    assert len(lines) == MOST_LINES + 1
    assert "winner.patch" in lines[-1].text
