"""Trees that a script has written to are measured, removed and collected, whatever is in them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pushtrain.worker import fingerprint, trees

KIB = 1024


def test_usage_counts_what_is_on_disk(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/file").write_bytes(b"x" * 100 * KIB)
    (tmp_path / "sparse").touch()
    os.truncate(tmp_path / "sparse", 10**9)
    (tmp_path / "link").symlink_to("/")

    used = trees.usage(tmp_path)

    assert 100 * KIB + 12 * KIB <= used < 200 * KIB
    assert trees.usage(tmp_path, most=5000) <= used
    assert trees.usage(tmp_path / "gone") == 0


def test_a_tree_is_emptied_whatever_is_in_it(tmp_path: Path) -> None:
    tree, outside = tmp_path / "tree", tmp_path / "outside"
    (tree / "locked/inner").mkdir(parents=True)
    (tree / "locked/inner/file").write_text("x")
    (tree / ".removed-1-1").mkdir()
    (tree / "locked/inner").chmod(0)
    (tree / "locked").chmod(0o500)
    outside.mkdir()
    (outside / "kept").write_text("x")
    (tree / "link").symlink_to(outside)
    os.mkfifo(tree / "pipe")

    trees.empty(tree)

    assert list(tree.iterdir()) == []
    assert (outside / "kept").exists()


def test_one_folder_may_stay(tmp_path: Path) -> None:
    tree, outside = tmp_path / "tree", tmp_path / "outside"
    outside.mkdir()
    (outside / "file").touch()
    for name in ("kept", "other/kept"):
        (tree / name).mkdir(parents=True)
        (tree / name / "file").touch()
    (tree / "kept").chmod(0)

    trees.empty(tree, keep="kept")

    assert [path.name for path in tree.rglob("*")] == ["kept", "file"]
    trees.empty(tree)
    (tree / "kept").symlink_to(outside)
    trees.empty(tree, keep="kept")
    assert list(tree.iterdir()) == []
    assert (outside / "file").exists()


def test_folders_deeper_than_a_path_are_emptied(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    above = os.open(tree, os.O_RDONLY)
    for _ in range(60):
        os.mkdir("d" * 200, dir_fd=above)
        inner = os.open("d" * 200, os.O_RDONLY, dir_fd=above)
        os.close(above)
        above = inner
    os.close(above)

    assert trees.usage(tree) == trees.UNMEASURABLE
    trees.empty(tree)

    assert list(tree.iterdir()) == []


def test_only_what_is_new_or_changed_is_collected(tmp_path: Path) -> None:
    tree, target = tmp_path / "tree", tmp_path / "target"
    tree.mkdir()
    (tree / "same").write_text("same")
    (tree / "changed").write_text("old")
    known = trees.stamps(tree)
    (tree / "changed").write_text("new")
    (tree / "made").write_text("made")
    (tree / "__pycache__").mkdir()
    (tree / "__pycache__/made.pyc").write_text("x")

    refused, left = trees.collect(tree, target, known, most=100, prefix="files")

    assert sorted(path.name for path in target.iterdir()) == ["changed", "made"]
    assert (refused, left) == ([], 93)


def test_what_is_too_much_is_refused_and_the_rest_is_kept(tmp_path: Path) -> None:
    tree, target = tmp_path / "tree", tmp_path / "target"
    tree.mkdir()
    for name, size in (("a", 40), ("b", 100), ("c", 60)):
        (tree / name).write_bytes(b"x" * size)

    refused, left = trees.collect(tree, target, {}, most=100, prefix="files")

    assert sorted(path.name for path in target.iterdir()) == ["a", "c"]
    assert refused == ["files/b (more than may be kept)"]
    assert left == 0


def test_a_copy_can_be_written_to_and_keeps_links_and_programs(tmp_path: Path) -> None:
    source, copy = tmp_path / "source", tmp_path / "copy"
    source.mkdir()
    (source / "run.sh").write_text("#!/bin/sh")
    (source / "run.sh").chmod(0o555)
    (source / "data").write_text("x")
    (source / "data").chmod(0o444)
    (source / "link").symlink_to("data")

    trees.copy(source, copy)

    assert (copy / "run.sh").stat().st_mode & 0o100
    assert (copy / "data").stat().st_mode & 0o200
    assert (copy / "link").readlink() == Path("data")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "cats").mkdir(parents=True)
    (folder / "cats/1.txt").write_text("tabby")
    (folder / "labels.csv").write_text("1,cat")
    return folder


def test_a_fingerprint_is_of_names_and_contents(data: Path) -> None:
    before = fingerprint.of(data)
    os.utime(data / "labels.csv", (1, 1))
    assert before.startswith("sha256:")
    assert fingerprint.of(data) == before

    (data / "labels.csv").write_text("1,dog")
    changed = fingerprint.of(data)
    (data / "labels.csv").write_text("1,cat")
    (data / "labels.csv").rename(data / "other.csv")

    assert len({before, changed, fingerprint.of(data)}) == 3


def test_a_fingerprint_of_much_data_is_of_names_sizes_and_times(data: Path) -> None:
    before = fingerprint.of(data, most=5)
    assert before.startswith("stat:")
    assert fingerprint.of(data, most=5) == before

    os.utime(data / "labels.csv", (1, 1))
    assert fingerprint.of(data, most=5) != before


def test_a_file_cannot_stand_for_another_ones_name(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    (one / "a").write_text("b")
    (two / "ab").write_text("")

    assert fingerprint.of(one) != fingerprint.of(two)
