"""An archive that comes out of a container: plain files below its root, whole, or an error."""

from __future__ import annotations

import io
import tarfile
from pathlib import PurePosixPath
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushtrain.engine import incoming
from pushtrain.engine.incoming import unpack
from pushtrain.errors import SandboxError

MOST = 10_000
FILES = {"out/result.json": b"{}", "out/model/m.bin": bytes(700), "out/" + "n" * 200: b"x"}


def archive(*entries: tarfile.TarInfo | tuple[str, bytes], kind: int = tarfile.PAX_FORMAT) -> bytes:
    """An archive of what is given, as an engine writes it."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=kind, errors="surrogateescape") as tar:
        for entry in entries:
            if isinstance(entry, tuple):
                info = tarfile.TarInfo(entry[0])
                info.size = len(entry[1])
                tar.addfile(info, io.BytesIO(entry[1]))
            else:
                tar.addfile(entry)
    return stream.getvalue()


def entry(name: str, kind: bytes = tarfile.REGTYPE, **fields: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def unpacked(content: bytes | BinaryIO, most: int = MOST) -> dict[str, bytes]:
    stream = io.BytesIO(content) if isinstance(content, bytes) else content
    return {name: file.read() for name, file in unpack(stream, "out", most=most)}


WHOLE = archive(entry("out", tarfile.DIRTYPE), *FILES.items())


@pytest.mark.parametrize("kind", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_plain_files_come_out_as_they_are(kind: int) -> None:
    content = archive(entry("out", tarfile.DIRTYPE), *FILES.items(), kind=kind)
    assert unpacked(content) == {path.removeprefix("out/"): data for path, data in FILES.items()}


def test_what_is_cut_off_anywhere_is_an_error() -> None:
    end = -(-len(WHOLE.rstrip(b"\0")) // 512) * 512
    for length in (*range(0, end, 37), *range(0, end + 1, 512)):
        with pytest.raises(SandboxError, match="cut off or broken"):
            unpacked(WHOLE[:length])
    assert unpacked(WHOLE[: end + 512]), "the mark of its end is enough"


@given(st.data())
def test_damage_is_an_error_or_leaves_plain_names_and_bounded_content(data: st.DataObject) -> None:
    content = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    _check(bytes(content))


@given(st.binary(max_size=3000))
def test_any_bytes_are_an_error_or_nothing(content: bytes) -> None:
    _check(content)


_part = st.text(max_size=6) | st.sampled_from(["..", ".", "", "\\", "\x1b[2J", "\udcff", "x" * 300])


@given(st.lists(_part, min_size=1, max_size=5).map("/".join), st.booleans())
def test_a_name_can_only_ever_lie_below_its_root(name: str, is_below: bool) -> None:
    name = f"out/{name}" if is_below else name
    try:
        content = archive((name, b"x"))
    except (ValueError, UnicodeError):
        return  # no archive can hold it
    _check(content)


def _check(content: bytes) -> None:
    try:
        found = unpacked(content)
    except SandboxError as refusal:
        assert refusal.message.isprintable() and len(refusal.message) < 800
        return
    for name in found:
        assert not PurePosixPath(name).is_absolute() and ".." not in PurePosixPath(name).parts
        assert name.isprintable() and name.encode()
    assert sum(map(len, found.values())) <= MOST


@pytest.mark.parametrize(
    ("hostile", "what"),
    [
        (entry("out/x", tarfile.SYMTYPE, linkname="/etc/passwd"), "a symbolic link"),
        (entry("out/x", tarfile.LNKTYPE, linkname="out/result.json"), "a hard link"),
        (entry("out/x", tarfile.CHRTYPE), "a device"),
        (entry("out/x", tarfile.BLKTYPE), "a device"),
        (entry("out/x", tarfile.FIFOTYPE), "a pipe"),
        (entry("out/x", b"Z"), "no regular file"),
        (entry("out/x", size=MOST + 1), "too much"),
        (entry("out/x", pax_headers={"size": str(2**62)}), "too much"),
        (entry("/etc/passwd"), "not a plain relative name"),
        (entry("out/../../etc/passwd"), "not a plain relative name"),
        (entry("other/x"), "not a plain relative name"),
        (entry("out/" + "d/" * 600), "not a plain relative name"),
        (entry("out/\udcff"), "not UTF-8"),
        (entry("out/result.json"), "named twice"),
    ],
)
def test_whatever_is_no_plain_file_is_refused_by_name(hostile: tarfile.TarInfo, what: str) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", errors="surrogateescape") as tar:
        tar.addfile(entry("out/result.json"))
        content = io.BytesIO(bytes(hostile.size)) if hostile.size else None
        tar.addfile(hostile, content)
    with pytest.raises(SandboxError, match=what):
        unpacked(stream.getvalue())


def test_more_files_than_are_allowed_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incoming, "MOST_FILES", 3)
    with pytest.raises(SandboxError, match="one of more than 3"):
        unpacked(archive(*((f"out/{number}", b"") for number in range(4))))


def test_an_archive_without_end_is_read_no_further_than_is_allowed() -> None:
    class Endless(io.RawIOBase):
        """A file of many bytes, of which most never come to be read."""

        def __init__(self) -> None:
            self.read_so_far = 0
            self._head = archive(entry("out/x"))[:512]

        def read(self, size: int = -1, /) -> bytes:
            assert self.read_so_far < 100 * MOST, "it reads on"
            head, self._head = self._head[:size], self._head[size:]
            self.read_so_far += size
            return head.ljust(size, b"\1")

    with pytest.raises(SandboxError):
        unpacked(Endless())  # type: ignore[arg-type]
