"""Files on their way out of a container: an archive in tar format, read as hostile input.

The engine writes the archive, the script decides what is in it: names, links, devices, sizes.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from typing import IO, BinaryIO, Self

from pushtrain.errors import SandboxError

MOST_FILES = 10_000
"""Entries of one archive, directories included."""
_MOST_NAME = 1024
"""Bytes of one name, whole."""

_KINDS = {
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
}


def unpack(stream: BinaryIO, root: str, *, most: int) -> Iterator[tuple[str, BinaryIO]]:
    """The regular files of an archive, each with a stream of its content.

    Args:
        stream: the archive; read once, from front to back.
        root: name of the directory (or the one file) that was asked for; every entry begins
            with it.
        most: bytes that all files together may have.

    Yields:
        (path relative to `root`, stream); the stream ends when the next file is asked for.

    Raises:
        SandboxError: the archive holds anything but plain files below `root`, or too much.
            Reading a stream raises it too, where the archive is broken.
    """
    names: set[str] = set()
    left = most
    try:
        with tarfile.open(
            fileobj=stream, mode="r|", errors="surrogateescape", tarinfo=_Entry
        ) as archive:
            for entry in archive:
                name = _checked(entry.name, root)
                if name in names or len(names) >= MOST_FILES:
                    what = "named twice" if name in names else f"one of more than {MOST_FILES}"
                    raise _refused(entry.name, what)
                names.add(name)
                if entry.isdir():
                    continue
                if entry.type not in tarfile.REGULAR_TYPES or entry.issparse():
                    raise _refused(entry.name, _KINDS.get(entry.type, "no regular file"))
                left -= entry.size
                if left < 0:
                    raise _refused(entry.name, f"too much: more than {most} bytes in all")
                content = archive.extractfile(entry)
                if content is not None:
                    yield name, io.BufferedReader(_Content(content))
    except (tarfile.TarError, ValueError) as error:
        raise _broken(error) from error


def _checked(name: str, root: str) -> str:
    """`name` without its root; plain, so that it can be joined to any directory."""
    try:
        length = len(name.encode("utf-8"))
    except UnicodeEncodeError:
        raise _refused(name, "not UTF-8") from None
    parts = name.split("/")
    plain = not {"", ".", ".."}.intersection(parts) and name.isprintable() and "\\" not in name
    if not plain or parts[0] != root or length > _MOST_NAME:
        raise _refused(name, "not a plain relative name")
    return "/".join(parts[1:]) or root


class _Entry(tarfile.TarInfo):
    """An entry that is there, or the mark of the archive's end: tarfile takes anything else at its
    place for the end as well, and so an archive that was cut off between two files for whole."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if buf.count(0) == tarfile.BLOCKSIZE:
                raise
            raise tarfile.ReadError(f"no entry where one must be: {error}") from error


class _Content(io.RawIOBase):
    """One file's content, whose end comes where the archive says, or not at all."""

    def __init__(self, content: IO[bytes]) -> None:
        self._content = content

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            data = self._content.read(len(buffer))
        except (tarfile.TarError, ValueError) as error:
            raise _broken(error) from error
        buffer[: len(data)] = data
        return len(data)


def _refused(name: str, what: str) -> SandboxError:
    shown = name[:200].encode("unicode_escape").decode("ascii")
    return SandboxError(
        f"{shown} came out of the container and is refused: {what}",
        hint="let the script write plain files only",
        path=shown,
        reason=what,
    )


def _broken(error: Exception) -> SandboxError:
    return SandboxError(
        f"what came out of the container is cut off or broken: {error}",
        hint="see that the engine's host has disk space, and fetch it again",
    )
