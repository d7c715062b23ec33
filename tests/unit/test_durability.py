"""What is brought to the disk: all of it, and the names as well."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from pushtrain import durability as module
from pushtrain.durability import bring_to_disk
from support.disk import synced


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    (tree / "a" / "empty").mkdir(parents=True)
    (tree / "a" / "file").write_bytes(b"x")
    (tree / "link").symlink_to("/etc/passwd")
    (tree / "loop").symlink_to(".")
    os.mkfifo(tree / "pipe")
    return tree


def test_files_and_directories_are_brought_files_first(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with synced(monkeypatch) as paths:
        bring_to_disk(tree, tree.parent / "nothing")
    assert paths == [tree / "a/empty", tree / "a/file", tree / "a", tree, tree.parent]


def test_a_file_is_brought_with_its_name(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with synced(monkeypatch) as paths:
        bring_to_disk(tree / "a/file")
    assert paths == [tree / "a/file", tree / "a"]


def test_many_files_are_brought_with_their_file_system(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_FEW", 3)
    whole: list[Path] = []
    sync = module._sync_file_system
    monkeypatch.setattr(module, "_sync_file_system", lambda path: (whole.append(path), sync(path)))
    with synced(monkeypatch) as paths:
        bring_to_disk(tree)
    assert (whole, paths) == ([tree.parent], [])


def test_a_disk_that_refuses_is_an_error(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(module.os, "fsync", full)
    with pytest.raises(OSError, match="no space left"):
        bring_to_disk(tree)
