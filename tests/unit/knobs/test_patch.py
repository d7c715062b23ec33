"""Patches that git itself applies."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pushtrain.errors import KnobError
from pushtrain.knobs import patch


def git(folder: Path, *arguments: str, text: bytes = b"") -> bytes:
    done = subprocess.run(
        ["git", "-c", "core.autocrlf=false", *arguments],
        cwd=folder,
        input=text,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def applied(folder: Path, path: str, before: bytes, after: bytes) -> bytes:
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(before)
    git(folder, "apply", "--whitespace=nowarn", "-", text=patch(folder, {path: after}))
    return file.read_bytes()


LONG = b"".join(b"x%d = 1\n" % number for number in range(60))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"a = 1\nb = 2\n", b"a = 1\nb = 3\n"),
        (b"a = 1\r\nb = 2\r\n", b"a = 9\r\nb = 2\r\n"),
        (b"a = 1\nb = 2", b"a = 1\nb = 3"),
        (b"a = 1", b"a = 2"),
        (b"a = 1\rb = 2\r", b"a = 1\rb = 3\r"),
        (b"# caf\xe9\na = 1\x0c\n", b"# caf\xe9\na = 2\x0c\n"),
        (b"\xef\xbb\xbfa = 1\n", b"\xef\xbb\xbfa = 2\n"),
        (LONG, LONG.replace(b"x7 = 1", b"x7 = 0").replace(b"x40 = 1", b"x40 = 0")),
    ],
)
@pytest.mark.parametrize("path", ["train.py", "a folder/my net.py", "tölle/träin.py", 'q"uote.py'])
def test_git_applies_it(tmp_path: Path, path: str, before: bytes, after: bytes) -> None:
    git(tmp_path, "init", "-q")
    assert applied(tmp_path, path, before, after) == after


LINES = st.lists(st.sampled_from([b"a = 1", b"b = 2\r", b"", b"\x0c", b"\xe9", b"- x", b"+++ y"]))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(before=LINES, after=LINES, ends=st.tuples(st.booleans(), st.booleans()))
def test_git_applies_any(
    tmp_path: Path, before: list[bytes], after: list[bytes], ends: tuple[bool, bool]
) -> None:
    old, new = (
        b"\n".join(lines) + (b"\n" if end and lines else b"")
        for lines, end in zip((before, after), ends, strict=True)
    )
    if old and new and old != new:
        assert applied(tmp_path, "a.py", old, new) == new


def test_nothing_changed_is_an_empty_patch(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"x = 1\n")
    assert patch(tmp_path, {"a.py": b"x = 1\n"}) == b""
    assert patch(tmp_path, {}) == b""


def test_files_come_in_order(tmp_path: Path) -> None:
    for name in ("b.py", "a.py"):
        (tmp_path / name).write_bytes(b"x = 1\n")
    text = patch(tmp_path, {"b.py": b"x = 2\n", "a.py": b"x = 3\n"})
    head = b"diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n"
    assert text.startswith(head + b"@@ -1 +1 @@\n-x = 1\n+x = 3\n")
    assert text.index(b"a/b.py") > text.index(b"x = 3")


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(KnobError, match=r"a\.py cannot be read for the patch"):
        patch(tmp_path, {"a.py": b""})
