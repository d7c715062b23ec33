"""Files of a script: kept while they count, once each, and put back as they were."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pushtrain.worker import written
from pushtrain.worker.checkpoints import Checkpoints
from pushtrain.worker.written import Written


class Attempt:
    """The tree of one attempt: a file of the push, a folder for temporary files, a report."""

    def __init__(self, folder: Path, checkpoints: Path) -> None:
        self.source, self.tmp = folder / "source", folder / "tmp"
        self.report = folder / "report.jsonl"
        self.source.mkdir(parents=True)
        self.tmp.mkdir()
        (self.source / "train.py").write_text("pass")
        roots = {"source": self.source, "tmp": self.tmp, "report": self.report}
        self.checkpoints = Checkpoints(checkpoints, 1 << 20)
        self.written = Written(roots, self.checkpoints)

    def save(self, owner: str = "fit-1") -> list[written.Row]:
        table = self.written.keep()
        self.written.settle(owner, table)
        return table

    def go_on(self, table: list[written.Row]) -> None:
        contents = self.written.contents(table)
        assert contents is not None
        self.written.put_back(table, contents)

    @property
    def entries(self) -> list[str]:
        return [name for name in self.checkpoints.names() if name.startswith("files-")]


@pytest.fixture
def attempts(tmp_path: Path) -> Iterator[Attempt]:
    (tmp_path / "checkpoints").mkdir()
    return (Attempt(tmp_path / str(number), tmp_path / "checkpoints") for number in range(3))


def test_new_and_changed_files_lie_there_again(attempts: Iterator[Attempt]) -> None:
    one, other = next(attempts), next(attempts)
    (one.source / "deep").mkdir()
    (one.source / "deep" / "best.keras").write_bytes(b"weights")
    (one.source / "deep" / "best.keras").chmod(0o640)
    (one.source / "train.py").write_text("changed")
    (one.tmp / "checkpoint").write_text("")
    one.report.write_text("{}\n")
    table = one.save()
    (other.source / "train.py").write_text("longer than it was")
    other.go_on(table)
    best = other.source / "deep" / "best.keras"
    assert (best.read_bytes(), best.stat().st_mode & 0o777) == (b"weights", 0o640)
    assert (other.source / "train.py").read_text() == "changed"
    assert (other.tmp / "checkpoint").read_text() == ""
    assert other.report.read_text() == "{}\n"


def test_a_file_is_kept_once_while_it_is_the_same(attempts: Iterator[Attempt]) -> None:
    one = next(attempts)
    (one.source / "best").write_text("same")
    (one.source / "log").write_text("1")
    first = one.save()
    (one.source / "log").write_text("2")
    second = one.save()
    assert [row.entry for row in first] == ["files-1", "files-1"]
    assert [row.entry for row in second] == ["files-1", "files-2"]
    assert one.save() == second
    assert one.entries == ["files-1", "files-2"]


def test_what_no_generation_needs_goes(attempts: Iterator[Attempt]) -> None:
    one = next(attempts)
    for number in range(4):
        (one.source / "log").write_text(str(number))
        one.save()
    assert one.entries == ["files-3", "files-4"]
    one.written.release("fit-1")
    assert one.entries == []


def test_what_is_kept_stays_the_same_in_the_next_attempt(attempts: Iterator[Attempt]) -> None:
    one, other = next(attempts), next(attempts)
    (one.source / "best").write_text("same")
    table = one.save()
    one.checkpoints.save("files-7", {}, {"0": b"of a checkpoint that never came to be"})
    other.go_on(table)
    other.written.settle("fit-1", table)
    other.written.sweep()
    assert other.entries == ["files-1"]
    assert other.save() == table


def test_a_file_that_is_open_goes_on_at_its_end(attempts: Iterator[Attempt]) -> None:
    one, other = next(attempts), next(attempts)
    with (one.source / "log").open("w") as log, (one.source / "more").open("a") as more:
        log.write("epoch 1\nepoch 2\n")
        more.write("a")
        table = one.save()
        log.write("epoch 3, which nobody keeps\n")
    with (other.source / "log").open("w") as log, (other.source / "more").open("a") as more:
        log.write("epoch 1, written again and not yet on the disk\n")
        other.go_on(table)
        log.write("epoch 3\n")
        more.write("b")
    assert (other.source / "log").read_text() == "epoch 1\nepoch 2\nepoch 3\n"
    assert (other.source / "more").read_text() == "ab"


def test_a_content_that_is_missing_or_damaged_is_found_out(attempts: Iterator[Attempt]) -> None:
    one, other = next(attempts), next(attempts)
    (one.source / "best").write_text("best")
    table = one.save()
    path = next(one.checkpoints.directory.glob("files-1.*"))
    path.write_bytes(path.read_bytes()[:-1])
    assert other.written.contents(table) is None


def test_links_caches_and_pipes_are_left_alone(attempts: Iterator[Attempt]) -> None:
    one = next(attempts)
    (one.source / "link").symlink_to("/etc/passwd")
    (one.source / "__pycache__").mkdir()
    (one.source / "__pycache__" / "train.pyc").write_text("")
    os.mkfifo(one.tmp / "pipe")
    assert one.save() == []


def test_a_link_in_its_place_is_not_followed(attempts: Iterator[Attempt], tmp_path: Path) -> None:
    one, other = next(attempts), next(attempts)
    (one.source / "log").write_text("mine")
    table = one.save()
    (tmp_path / "elsewhere").write_text("kept")
    (other.source / "log").symlink_to(tmp_path / "elsewhere")
    other.go_on(table)
    assert (other.source / "log").read_text() == "mine"
    assert (tmp_path / "elsewhere").read_text() == "kept"


def test_where_there_is_no_room_nothing_is_lost(attempts: Iterator[Attempt]) -> None:
    one, other = next(attempts), next(attempts)
    (one.source / "log").write_text("1")
    table = one.save()
    (one.source / "log").write_bytes(bytes(2 << 20))
    with pytest.raises(OSError):
        one.save()
    other.go_on(table)
    assert (other.source / "log").read_text() == "1"


def test_big_files_go_one_by_one(
    attempts: Iterator[Attempt], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(written, "_MOST_ENTRY", 3000)
    monkeypatch.setattr(written, "_MOST_FILE", 5000)
    one, other = next(attempts), next(attempts)
    for name in "abc":
        (one.source / name).write_text(name * 2000)
    table = one.save()
    assert one.entries == ["files-1", "files-2", "files-3"]
    other.go_on(table)
    assert (other.source / "c").read_text() == "c" * 2000
    (one.source / "d").write_bytes(bytes(6000))
    with pytest.raises(OSError, match="d is too big"):
        one.save()
