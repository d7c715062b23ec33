"""Whatever cuts a save off, and whatever lies there instead, what was whole before still counts."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pushtrain.worker.checkpoints import Checkpoints, Pace

MIB = 1024**2


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    return Checkpoints(tmp_path, MIB)


def anew(checkpoints: Checkpoints) -> Checkpoints:
    """As the next attempt finds them."""
    return Checkpoints(checkpoints.directory, MIB)


def step(checkpoints: Checkpoints, name: str = "a") -> int | None:
    """The header's number in what is loaded, whose blob must be of the same save."""
    saved = anew(checkpoints).load(name)
    if saved is None:
        return None
    number: int = saved.header["step"]
    assert bytes(saved.blobs["weights"]) == content(number)
    return number


def content(number: int) -> bytes:
    return bytes([number]) * 5000


def save(checkpoints: Checkpoints, number: int, name: str = "a") -> None:
    checkpoints.save(name, {"step": number}, {"weights": content(number)})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(
    st.dictionaries(st.text(), json_values, max_size=4),
    st.dictionaries(st.text(), st.binary(max_size=3000), max_size=4),
)
def test_what_is_saved_is_loaded(header: dict[str, Any], blobs: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Checkpoints(Path(folder), MIB).save("a", header, blobs)
        saved = Checkpoints(Path(folder), MIB).load("a")

    assert saved is not None
    assert saved.header == header
    assert {name: bytes(blob) for name, blob in saved.blobs.items()} == blobs
    assert list(saved.blobs) == list(blobs)


def test_views_of_several_dimensions_and_of_nothing_are_saved(checkpoints: Checkpoints) -> None:
    matrix = memoryview(bytes(range(12))).cast("B", (3, 4))
    numbers = memoryview(bytes(16)).cast("d")

    checkpoints.save("a", {}, {"matrix": matrix, "numbers": numbers, "none": memoryview(b"")})

    saved = anew(checkpoints).load("a")
    assert saved is not None
    assert bytes(saved.blobs["matrix"]) == bytes(range(12))
    assert bytes(saved.blobs["numbers"]) == bytes(16)
    assert bytes(saved.blobs["none"]) == b""


def test_the_newest_of_each_name_counts(checkpoints: Checkpoints) -> None:
    for number in range(1, 6):
        save(checkpoints, number)
        save(anew(checkpoints), number + 100, "b")

        assert step(checkpoints) == number
        assert step(checkpoints, "b") == number + 100

    assert checkpoints.names() == ["a", "b"]
    assert len(list(checkpoints.directory.iterdir())) == 4
    checkpoints.forget("a")
    assert (checkpoints.names(), step(checkpoints)) == (["b"], None)
    assert len(list(checkpoints.directory.iterdir())) == 2


def test_two_processes_memories_do_not_mix(checkpoints: Checkpoints) -> None:
    """A forked child saves between two saves of its parent, which has to look again."""
    save(checkpoints, 1)
    if not (child := os.fork()):
        save(checkpoints, 2)
        save(checkpoints, 3)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert step(checkpoints) == 3


@pytest.mark.parametrize("before", [0, 1, 2])
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_a_damaged_newest_gives_way_to_the_one_before(data: st.DataObject, before: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = Checkpoints(Path(folder), MIB)
        for number in range(before + 1):
            save(checkpoints, number)
        newest = Path(folder, f"a.{before % 2}")
        whole = newest.read_bytes()
        if data.draw(st.booleans()):
            newest.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
        else:
            place = data.draw(st.integers(0, len(whole) - 1))
            changed = data.draw(st.integers(1, 255)) ^ whole[place]
            newest.write_bytes(whole[:place] + bytes([changed]) + whole[place + 1 :])

        assert step(checkpoints) == (before - 1 if before else None)
        again = anew(checkpoints)
        save(again, 77)
        save(again, 78)
        assert step(checkpoints) == 78


@settings(deadline=None)
@given(st.binary(max_size=300), st.booleans())
def test_content_of_any_other_kind_is_none(junk: bytes, is_alike: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        start = b"pushtrain-ckpt 1" if is_alike else b""
        Path(folder, "a.0").write_bytes(start + junk)
        assert Checkpoints(Path(folder), MIB).load("a") is None


def _link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _huge(path: Path) -> None:
    os.truncate(path, 10**13)


def _locked(path: Path) -> None:
    path.write_bytes(b"")
    path.chmod(0)


def _foreign(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"ckpt 1", b"ckpt 2"))


@pytest.mark.parametrize("spoil", [_link, _folder, _pipe, _huge, _locked, _foreign])
def test_what_is_no_plain_file_of_this_format_is_not_there(
    checkpoints: Checkpoints, spoil: Any
) -> None:
    save(checkpoints, 1)
    save(checkpoints, 2)
    spoil(checkpoints.directory / "a.1")

    assert step(checkpoints) == 1
    spoil(checkpoints.directory / "a.0")
    assert step(checkpoints) is None


def test_what_a_killed_save_left_is_in_nobodys_way(checkpoints: Checkpoints) -> None:
    save(checkpoints, 1)
    outside = checkpoints.directory / "outside"
    outside.write_text("kept")
    for left in (lambda path: path.write_bytes(b"torn"), lambda path: path.symlink_to(outside)):
        part = checkpoints.directory / "a.part"
        left(part)

        assert step(checkpoints) == 1
        save(anew(checkpoints), 2)
        assert step(checkpoints) == 2
        assert not os.path.lexists(part)
        save(checkpoints, 1)
    assert outside.read_text() == "kept"


CALLS = ("open", "write", "fsync", "replace", "unlink", "close")


class Cut(BaseException):
    """Stands for a kill: nothing that comes after it happens."""


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Lets so many of the calls to the system come through, and none after them."""
    state = {"left": 10**9}
    real = {name: getattr(os, name) for name in CALLS}

    def counted(name: str) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            if name != "close":
                state["left"] -= 1
            if state["left"] < 0 and name != "close":
                raise Cut
            return real[name](*arguments, **options)

        return call

    for name in CALLS:
        monkeypatch.setattr(os, name, counted(name))
    yield lambda left: state.update(left=left)
    state["left"] = 10**9


def test_a_kill_between_any_two_calls_leaves_the_old_or_the_new(
    checkpoints: Checkpoints, cut: Any
) -> None:
    save(checkpoints, 1)
    save(checkpoints, 2)
    outcomes = []
    for left in range(100):
        attempt = anew(checkpoints)
        cut(left)
        try:
            save(attempt, 3)
        except Cut:
            cut(10**9)
            outcomes.append(step(checkpoints))
            if outcomes[-1] == 3:  # renamed, and cut before it was known to be on the disk
                save(anew(checkpoints), 1)
                save(anew(checkpoints), 2)
            continue
        cut(10**9)
        break
    assert step(checkpoints) == 3
    assert set(outcomes) == {2, 3}
    assert outcomes.index(3) > 5


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_a_failing_disk_leaves_what_was_there(
    checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    save(checkpoints, 1)
    save(checkpoints, 2)

    def fails(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, call, fails)
        for _ in range(3):
            with pytest.raises(OSError, match="No space"):
                save(checkpoints, 3)
            assert step(checkpoints) == 2
    assert not (checkpoints.directory / "a.part").exists()
    save(checkpoints, 4)
    assert step(checkpoints) == 4


def test_more_than_is_allowed_is_refused_and_costs_nothing(checkpoints: Checkpoints) -> None:
    save(checkpoints, 1)
    for size in (MIB, MIB - 6000):
        with pytest.raises(OSError, match="are allowed"):
            checkpoints.save("a", {"step": 2}, {"weights": bytes(size)})
        assert step(checkpoints) == 1

    (checkpoints.directory / "the scripts own").write_bytes(bytes(MIB - 14_000))
    with pytest.raises(OSError, match="are allowed"):
        save(checkpoints, 2)
    assert step(checkpoints) == 1


def test_where_three_do_not_fit_two_do(checkpoints: Checkpoints) -> None:
    for number in range(5):
        big = {"weights": content(number), "more": bytes(MIB // 2 - 20_000)}
        checkpoints.save("a", {"step": number}, big)
        assert step(checkpoints) == number


def test_without_a_directory_nothing_is_saved(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "missing", MIB)

    assert (checkpoints.load("a"), checkpoints.names()) == (None, [])
    with pytest.raises(FileNotFoundError):
        save(checkpoints, 1)


@pytest.mark.parametrize("name", ["", "../a", "a/b", "a.0", "ü", "a" * 65])
def test_other_names_are_refused(checkpoints: Checkpoints, name: str) -> None:
    for use in (checkpoints.load, checkpoints.forget, lambda name: save(checkpoints, 1, name)):
        with pytest.raises(ValueError, match="no name"):
            use(name)


@given(st.lists(st.tuples(st.floats(0.001, 5), st.floats(0.001, 50)), max_size=50))
def test_saving_takes_no_more_than_its_share(steps: list[tuple[float, float]]) -> None:
    """Each step trains for a while, and then a save would cost so much."""
    pace, now, spent = Pace(0.1), 0.0, 0.0
    began: list[tuple[float, float]] = []
    for cost, trained in steps:
        now += trained
        if pace.is_due(now):
            began.append((now, cost))
            pace.spent(cost)
            now += cost
            spent += cost
    for (earlier, cost), (later, _) in itertools.pairwise(began):
        assert later - earlier >= cost / 0.1 * 0.999
    assert not steps or began[0][0] == steps[0][1]
