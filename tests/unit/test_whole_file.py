"""A file is replaced as a whole, or stays what it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from pushtrain.whole_file import write_whole


@pytest.mark.parametrize("is_durable", [False, True])
def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path, is_durable: bool) -> None:
    path = tmp_path / "file"
    for content in (b"old", b"new"):
        write_whole(path, content, mode=0o640, is_durable=is_durable)
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_what_was_there_stays_when_the_file_cannot_be_put_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write_whole(path, b"old")

    def refuse(self: Path, target: Path) -> Path:
        raise OSError("no")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="no"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
