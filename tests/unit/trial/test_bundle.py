"""What goes into a container: the worker's files, the tree without what cannot go, an order."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from pushtrain.errors import SourceError
from pushtrain.trial.bundle import adapters, order_files, source_files, worker_files
from pushtrain.trial.protocol import TrialOrder


def taken(root: Path) -> tuple[dict[str, int], list[str]]:
    left_out: list[str] = []
    return {file.path: file.mode for file in source_files(root, left_out.append)}, left_out


def test_a_tree_goes_in_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/x.csv").write_text("1")
    (tmp_path / "run.sh").write_text("")
    (tmp_path / "run.sh").chmod(0o755)
    (tmp_path / "train.py").write_text("")
    for name in (".git", "__pycache__"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_text("")
    assert taken(tmp_path) == ({"data/x.csv": 0o644, "run.sh": 0o755, "train.py": 0o644}, [])
    assert list(taken(tmp_path)[0]) == ["data/x.csv", "run.sh", "train.py"]


def test_links_inside_the_tree_go_in_as_what_they_mean(tmp_path: Path) -> None:
    (tmp_path / "v1").mkdir()
    (tmp_path / "v1/x.csv").write_text("1")
    (tmp_path / "data").symlink_to("v1")
    (tmp_path / "one.csv").symlink_to("v1/x.csv")
    files, left_out = taken(tmp_path)
    assert set(files) == {"v1/x.csv", "data/x.csv", "one.csv"} and left_out == []


def test_what_cannot_go_in_is_named(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "secret").write_text("")
    (root / ".git").mkdir()
    (root / ".git/config").write_text("[url] token")
    (root / "away").symlink_to("../secret")
    (root / "absolute").symlink_to("/etc")
    (root / "broken").symlink_to("nowhere")
    (root / "config").symlink_to(".git/config")
    (root / "loop").symlink_to(".")
    (root / "ring").symlink_to("ring")
    os.mkfifo(root / "pipe")
    Path(os.fsdecode(os.fsencode(root) + b"/\xff")).write_text("")
    files, left_out = taken(root)
    assert files == {}
    assert sorted(left_out) == [
        "? (its name is not UTF-8)",
        "absolute (a link that leaves the tree)",
        "away (a link that leaves the tree)",
        "broken (a link that leads nowhere)",
        "config (a link that leaves the tree)",
        "loop (a link to a directory that contains it)",
        "pipe (not a regular file)",
        "ring (a link that leads nowhere)",
    ]


def test_a_tree_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="gone"):
        list(source_files(tmp_path / "gone", print))


def test_ready_comes_last() -> None:
    order = TrialOrder(trial=1, attempt=1, entry="train.py", seed=7, time_limit=9)
    made = [file.path for file in order_files(order, {"b.py": b"", "a/c.py": b""})]
    assert made == ["order.json", "changed/a/c.py", "changed/b.py", "READY"]


def test_the_worker_is_made_of_the_standard_library_alone() -> None:
    found = {file.path: file.content or b"" for file in worker_files()}
    assert {"__main__.py", "pushtrain/script.py", "pushtrain/worker/loop.py"} <= found.keys()
    assert all(path.endswith((".py", ".json", ".toml")) for path in found)
    for path, content in found.items():
        if path.endswith(".py"):
            compile(content, path, "exec")
    assert "keras" in adapters() and sys.version_info >= (3, 11)
