"""A trial's folder: its log has an end, its output is whole or not there."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushtrain.errors import EngineUnreachable, JournalError
from pushtrain.trial import folder as module
from pushtrain.trial.folder import TrialFolder
from pushtrain.trial.protocol import BadOutput
from support.disk import synced


def files(*pairs: tuple[str, bytes]) -> Iterator[tuple[str, BinaryIO]]:
    return iter([(path, io.BytesIO(content)) for path, content in pairs])


def test_a_log_has_an_end(tmp_path: Path) -> None:
    with TrialFolder(tmp_path / "3", 10) as folder:
        for text in ("12345", "67890abc", "never"):
            folder.add_log(text)
    assert (tmp_path / "3/log.txt").read_text().startswith("1234567890\n[pushtrain: ")
    assert (tmp_path / "3/log.txt").read_text().count("limit") == 1


def test_a_log_can_be_read_while_it_grows_and_takes_any_text(tmp_path: Path) -> None:
    with TrialFolder(tmp_path / "3", 100) as folder:
        folder.add_log("naïve \udcff")
        assert (tmp_path / "3/log.txt").read_text() == "naïve ?"


def test_files_are_written_and_hashed(tmp_path: Path) -> None:
    with TrialFolder(tmp_path / "3", 100) as folder:
        result, artifacts = folder.take(
            files(("result.json", b"{}"), ("model/b", b"bb"), ("files/a/b.txt", b"a"))
        )
    assert result == b"{}"
    assert [artifact.path for artifact in artifacts] == ["out/files/a/b.txt", "out/model/b"]
    assert artifacts[1].sha256 == f"sha256:{hashlib.sha256(b'bb').hexdigest()}"
    assert (tmp_path / "3/out/model/b").read_bytes() == b"bb"


def test_what_came_out_is_on_disk_before_anybody_hears_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "3"
    with TrialFolder(place, 100) as folder, synced(monkeypatch) as paths:
        folder.take(files(("result.json", b"{}"), ("model/b", b"bb")))
    assert {place / "out/result.json", place / "out/model/b", place / "log.txt"} <= set(paths)
    assert paths.index(place / "out/model") < paths.index(place / "out") < paths.index(place)
    assert paths[-1] == tmp_path


def test_a_disk_that_fills_up_late_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system may take what it finds no room for when it is to be written."""

    def full(*_: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "bring_to_disk", full)
    with TrialFolder(tmp_path / "3", 100) as folder, pytest.raises(JournalError, match="No space"):
        folder.take(files(("result.json", b"{}")))


def test_a_new_attempt_begins_with_nothing(tmp_path: Path) -> None:
    for text in ("first", "second"):
        with TrialFolder(tmp_path / "3", 100) as folder:
            assert not (tmp_path / "3/out").exists()
            folder.add_log(text)
            folder.take(files(("model/" + text, b"")))
    assert (tmp_path / "3/log.txt").read_text() == "second"
    assert [path.name for path in (tmp_path / "3/out/model").iterdir()] == ["second"]


@pytest.mark.parametrize(
    "paths",
    [("a", "a/b"), ("a/b", "a"), ("x" * 300,), ("d/" * 600 + "x",), ("..",), ("a/./b",), ("",)],
)
def test_names_that_cannot_stand_are_bad_output(tmp_path: Path, paths: tuple[str, ...]) -> None:
    with TrialFolder(tmp_path / "3", 100) as folder, pytest.raises(BadOutput):
        folder.take(files(*((path, b"") for path in paths)))
    assert [path.name for path in (tmp_path / "3").iterdir()] == ["log.txt"]


_part = st.text(max_size=4) | st.sampled_from(["..", ".", "", "a", "x" * 300, "\udcff", "\x1b[2J"])
_paths = st.lists(_part, min_size=1, max_size=4).map("/".join)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("folder")


@given(st.lists(_paths, max_size=4))
def test_whatever_files_are_called_they_lie_in_its_output_or_nowhere(
    place: Path, paths: list[str]
) -> None:
    with TrialFolder(place / "3", 100) as folder:
        try:
            _, artifacts = folder.take(files(*((path, b"x") for path in paths)))
        except BadOutput as refusal:
            assert str(refusal).isprintable()
            artifacts = ()
    written = {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()}
    taken = {f"3/{artifact.path}" for artifact in artifacts}
    assert taken | {"3/log.txt"} == written - {"3/out/result.json"}


def test_too_many_files_are_bad_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_FILES", 3)
    with TrialFolder(tmp_path / "3", 100) as folder, pytest.raises(BadOutput, match="more than 3"):
        folder.take(files(*((str(number), b"") for number in range(5))))


def test_what_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[tuple[str, BinaryIO]]:
        yield "a", io.BytesIO(b"a")
        raise EngineUnreachable("gone")

    with TrialFolder(tmp_path / "3", 100) as folder, pytest.raises(EngineUnreachable):
        folder.take(broken())
    assert [path.name for path in (tmp_path / "3").iterdir()] == ["log.txt"]


def test_a_full_disk_on_our_side_is_not_the_scripts_fault(tmp_path: Path) -> None:
    class Full(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(28, "No space left on device")

    with TrialFolder(tmp_path / "3", 100) as folder, pytest.raises(JournalError, match="make room"):
        folder.take(iter([("a", Full())]))
