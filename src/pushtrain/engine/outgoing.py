"""Files on their way into a container, as one stream in tar format."""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import BinaryIO

from pushtrain.errors import SandboxError
from pushtrain.interfaces import OutgoingFile

_TIME = 1_000_000_000
"""Every file's time, so that the same files give the same bytes; a ZIP archive can hold it."""
_CHUNK = 256 * 1024


def pack(prefix: str, files: Iterable[OutgoingFile]) -> Iterator[bytes]:
    """The archive of `files` below the relative directory `prefix`, in the order given.

    Local files are opened one at a time, when their turn comes.

    Raises:
        SandboxError: a path leaves its directory, or a local file cannot be read whole.
    """
    made: set[PurePosixPath] = set()
    for file in files:
        path = _plain(prefix, file.path)
        for parent in reversed(path.parents[:-1]):
            if parent not in made:
                made.add(parent)
                yield _header(parent, tarfile.DIRTYPE, 0, 0o755, 0)
        if file.path.endswith("/"):
            made.add(path)
            yield _header(path, tarfile.DIRTYPE, 0, file.mode, file.owner)
        elif file.content is not None:
            yield _header(path, tarfile.REGTYPE, len(file.content), file.mode, file.owner)
            yield file.content
            yield _padding(len(file.content))
        else:
            yield from _local(path, file)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _plain(prefix: str, name: str) -> PurePosixPath:
    given = PurePosixPath(name)
    if given.is_absolute() or not given.parts or ".." in given.parts or "\0" in name:
        raise SandboxError(
            f"{name!r} cannot be put into a container: not a plain relative path",
            hint="rename the file",
            path=name,
        )
    return PurePosixPath(prefix) / given


def _local(path: PurePosixPath, file: OutgoingFile) -> Iterator[bytes]:
    try:
        with _open_regular(file.local or "") as source:
            size = os.fstat(source.fileno()).st_size
            yield _header(path, tarfile.REGTYPE, size, file.mode, file.owner)
            left = size
            while left:
                chunk = source.read(min(_CHUNK, left))
                if not chunk:
                    raise OSError("it became shorter while it was read")
                left -= len(chunk)
                yield chunk
            yield _padding(size)
    except OSError as error:
        raise SandboxError(
            f"{file.local} cannot be put into a container: {error.strerror or error}",
            hint="see that it is a readable regular file, and that nobody changes it meanwhile",
            path=file.local,
        ) from error


def _open_regular(path: str) -> BinaryIO:
    # A link is not followed, since it may lead out of the pushed tree; a pipe would never end.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError("it is no regular file")
    return os.fdopen(descriptor, "rb")


def _header(path: PurePosixPath, kind: bytes, size: int, mode: int, owner: int) -> bytes:
    info = tarfile.TarInfo(str(path))
    info.type, info.size, info.mode, info.mtime = kind, size, mode, _TIME
    info.uid = info.gid = owner
    return info.tobuf(tarfile.PAX_FORMAT, errors="surrogateescape")


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)
