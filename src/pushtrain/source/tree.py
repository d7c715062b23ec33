"""Writing a tree of files that may be hostile: nothing lands outside its root."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pushtrain.errors import SourceError

CHUNK = 1024**2


@dataclass(frozen=True, slots=True)
class Cap:
    """The largest tree that is checked out: its bytes and its files."""

    size: int = 8 * 1024**3
    files: int = 200_000


class TreeWriter:
    """Writes files and symbolic links below a new directory.

    Files come first, links after all files: so no file is ever written through a link. What
    cannot be kept is left out with a warning: names that are not UTF-8 or leave the tree, links
    that point out of it.

    Args:
        root: the directory; it is made, and must be empty if it exists.
        cap: more than this is refused.
        warn: hears what is left out.
    """

    def __init__(self, root: Path, cap: Cap, warn: Callable[[str], None]) -> None:
        self.root = root
        self._cap = cap
        self._warn = warn
        self._size = 0
        self._links: dict[str, str] = {}
        self._digests: dict[str, str] = {}

    def file(self, path: str, content: Iterable[bytes], *, is_executable: bool) -> None:
        """Writes one file from its chunks; raises SourceError over the cap."""
        if not self._is_kept(path):
            for _ in content:  # the reader of a stream must not lose its place
                pass
            return
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        mode = 0o755 if is_executable else 0o644
        with os.fdopen(os.open(target, flags, mode), "wb") as file:
            for chunk in content:
                self._size += len(chunk)
                self.check(len(self._digests) + 1, self._size)
                digest.update(chunk)
                file.write(chunk)
        self._digests[path] = f"{'x' if is_executable else 'f'}{digest.hexdigest()}"

    def link(self, path: str, target: str) -> None:
        """Notes a symbolic link, to be made by `finish`."""
        if self._is_kept(path):
            self._links[path] = target

    def check(self, files: int, size: int) -> None:
        """Raises SourceError when so many files or bytes are more than the cap."""
        if files <= self._cap.files and size <= self._cap.size:
            return
        raise SourceError(
            f"the tree is too large: over {self._cap.files} files or {self._cap.size} bytes",
            hint="keep large data out of the repository: declare a directory in [data]",
            files=files,
            size=size,
        )

    def finish(self) -> str:
        """Makes the links; gives `sha256:<hex>` over names, kinds, modes and contents."""
        for path, target in sorted(self._links.items()):
            place = self.root / path
            with _left_out(self._warn, path):
                place.parent.mkdir(parents=True, exist_ok=True)
                place.symlink_to(target)
        root = self.root.resolve()
        for path, target in sorted(self._links.items()):
            place = self.root / path
            real = Path(os.path.realpath(place))
            if place.is_symlink() and not real.is_relative_to(root):
                place.unlink()
                self._warn(
                    f"{path} points out of the tree ({target}) and was left out; "
                    "declare data directories in [data] of pushtrain.toml"
                )
            elif place.is_symlink():
                self._digests[path] = "l" + hashlib.sha256(os.fsencode(target)).hexdigest()
        lines = (f"{digest} {path}\0".encode() for path, digest in sorted(self._digests.items()))
        return f"sha256:{hashlib.sha256(b''.join(lines)).hexdigest()}"

    def _is_kept(self, path: str) -> bool:
        parts = PurePosixPath(path).parts
        try:
            path.encode("utf-8")
        except UnicodeEncodeError:
            self._warn(f"{path!r} was left out: its name is not UTF-8; rename it")
            return False
        is_plain = parts and not path.startswith("/") and "/".join(parts) == path
        if is_plain and not any(part == ".." or part.lower() == ".git" for part in parts):
            return True
        self._warn(f"{path!r} was left out: no name for a file inside a tree")
        return False


@contextmanager
def new_directory(root: Path) -> Iterator[None]:
    """Makes `root` for a block that fills it; when the block fails, `root` is gone again.

    Raises:
        SourceError: it is not empty, or the disk refuses.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        if any(root.iterdir()):
            raise SourceError(f"{root} is not empty", hint="give a new directory")
    except OSError as error:
        raise _refused(root, error) from None
    try:
        yield
    except BaseException as error:
        shutil.rmtree(root, ignore_errors=True)
        if isinstance(error, OSError):
            raise _refused(root, error) from error
        raise


def chunks(path: Path) -> Iterator[bytes]:
    """A regular file in pieces; a symbolic link in its place is refused (OSError)."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


@contextmanager
def _left_out(warn: Callable[[str], None], path: str) -> Iterator[None]:
    try:
        yield
    except (FileExistsError, NotADirectoryError, ValueError):
        warn(f"{path!r} was left out: something else stands in its place")


def _refused(root: Path, error: OSError) -> SourceError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return SourceError(f"the disk of {root} is full", hint="make room: pushtrain clean")
    return SourceError(
        f"the source cannot be copied to {root}: {error}", hint="check that path and try again"
    )
