"""Files that a script has written since it began: kept with its checkpoints, and put back.

Another attempt begins with a fresh tree. Where it goes on after a checkpoint, what the script had
written by then must lie there again: the best model so far, a table of its epochs, whatever it
left in /tmp. Files are written to in place, so that whoever has one open goes on at its end.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pushtrain.worker import program, trees
from pushtrain.worker.checkpoints import Checkpoints, Saved
from pushtrain.worker.output import HELPER
from pushtrain.worker.session import Session

_ENTRY = re.compile(r"files-(\d+)")
_MOST_FILE = 1 << 30
"""Bytes of one file, which is held in memory on its way."""
_MOST_ENTRY = 64 << 20
"""Bytes from which on further files go into another checkpoint."""
_TRIES = 3
_OPEN = Path("/proc/self/fd")


class Row(NamedTuple):
    """A file in a table.

    Attributes:
        root: the name of the folder that it is in.
        path: relative to that.
        entry: the checkpoint that has its content.
        blob: the name of the content in it.
        mode: its permissions.
        position: where in it the script was about to write, if it had it open.
    """

    root: str
    path: str
    entry: str
    blob: str
    mode: int
    position: int | None


class Written:
    """The files of one script; made before it begins.

    Args:
        roots: folders, or single files, each by a name that is the same in every attempt.
        checkpoints: where contents are kept, each once for as long as it stays the same.
    """

    def __init__(self, roots: Mapping[str, Path], checkpoints: Checkpoints) -> None:
        self._roots = dict(roots)
        self._checkpoints = checkpoints
        self._before = dict(self._stamps())
        self._kept: dict[tuple[str, str], tuple[trees.Stamp, str, str]] = {}
        self._tables: dict[str, list[list[Row]]] = {}

    def keep(self) -> list[Row]:
        """Keeps what is new or has changed; gives the table of all such files.

        Raises:
            OSError: there is no room for it, or a file cannot be read.
        """
        if any(_is_below(path, self._roots.values()) for _, path in _open_for_writing()):
            program.write_all()  # what whoever has it open has not written yet
        positions = {
            _identity(number): os.lseek(number, 0, os.SEEK_CUR) for number, _ in _open_for_writing()
        }
        files = {key: one for key, one in self._stamps() if self._before.get(key) != one}
        anew = [key for key in sorted(files) if self._kept.get(key, (None,))[0] != files[key]]
        for group in _grouped(anew, files):
            self._keep_anew(group, files)
        rows = (self._row(key, positions) for key in sorted(files))
        return [row for row in rows if row is not None]

    def settle(self, owner: str, table: list[Row]) -> None:
        """A checkpoint has this table from now on; what no table needs any more goes.

        Args:
            owner: the checkpoint's name; its table before this one still counts.
            table: what `keep` gave.

        Raises:
            OSError: something cannot be removed.
        """
        before = self._needed()
        self._tables[owner] = [*self._tables.get(owner, ())[-1:], table]
        for entry in before - self._needed():
            self._checkpoints.forget(entry)

    def release(self, owner: str) -> None:
        """A checkpoint is gone, and needs nothing any more.

        Raises:
            OSError: something cannot be removed.
        """
        before = self._needed()
        self._tables.pop(owner, None)
        for entry in before - self._needed():
            self._checkpoints.forget(entry)

    def sweep(self) -> None:
        """Removes what was kept for checkpoints that never came to be; all tables are known.

        Raises:
            OSError: something cannot be removed.
        """
        found = {name for name in self._checkpoints.names() if _ENTRY.fullmatch(name)}
        for entry in found - self._needed():
            self._checkpoints.forget(entry)

    def contents(self, table: list[Row]) -> dict[str, Saved] | None:
        """What a table speaks of, by checkpoint; None where something of it is missing."""
        found: dict[str, Saved] = {}
        for row in table:
            saved = found.get(row.entry) or self._checkpoints.load(row.entry)
            if saved is None or row.blob not in saved.blobs:
                return None
            found[row.entry] = saved
        return found

    def put_back(self, table: list[Row], contents: Mapping[str, Saved]) -> None:
        """Makes all files of a table what they were.

        Raises:
            OSError: one cannot be written.
        """
        program.write_all()  # nothing that comes later may overwrite it
        positions = {}
        for row in table:
            path = self._roots[row.root] / row.path
            positions[_write(path, contents[row.entry].blobs[row.blob], row.mode)] = row.position
            one = trees.stamp(path)
            if one is not None:
                self._kept[row.root, row.path] = (one, row.entry, row.blob)
        for number, _ in _open_for_writing():
            position = positions.get(_identity(number))
            if position is not None:
                os.lseek(number, position, os.SEEK_SET)

    def _stamps(self) -> Iterator[tuple[tuple[str, str], trees.Stamp]]:
        for name, root in self._roots.items():
            if not root.is_dir():
                found = {".": trees.stamp(root)}
            else:
                entries = (e for e in trees.walk(root) if e.is_file(follow_symlinks=False))
                found = {os.path.relpath(one.path, root): trees.stamp(one) for one in entries}
            for path, one in found.items():
                if one is not None and "__pycache__" not in Path(path).parts:
                    yield (name, path), one

    def _keep_anew(
        self, keys: list[tuple[str, str]], files: Mapping[tuple[str, str], trees.Stamp]
    ) -> None:
        entry = f"files-{self._next_number()}"
        contents = {str(number): _read(self._path(key)) for number, key in enumerate(keys)}
        there = {name: content for name, content in contents.items() if content is not None}
        self._checkpoints.save(entry, {}, there)
        for number, key in enumerate(keys):
            if str(number) in there:
                self._kept[key] = (files[key], entry, str(number))

    def _row(self, key: tuple[str, str], positions: Mapping[tuple[int, int], int]) -> Row | None:
        _, entry, blob = self._kept.get(key, (None, "", ""))
        try:
            facts = self._path(key).lstat()
        except FileNotFoundError:
            return None
        position = positions.get((facts.st_dev, facts.st_ino))
        return Row(*key, entry, blob, stat.S_IMODE(facts.st_mode), position) if entry else None

    def _path(self, key: tuple[str, str]) -> Path:
        return self._roots[key[0]] / key[1]

    def _needed(self) -> set[str]:
        return {row.entry for tables in self._tables.values() for table in tables for row in table}

    def _next_number(self) -> int:
        found = (_ENTRY.fullmatch(name) for name in self._checkpoints.names())
        return 1 + max((int(one[1]) for one in found if one), default=0)


def written(session: Session) -> Written | None:
    """The one that all of a session share; None where nothing can be kept.

    Raises:
        OSError: the script's tree cannot be read.
    """
    if not session.checkpoints.directory.is_dir():
        return None
    known = session.shared.get("written")
    if not isinstance(known, Written):
        roots = {"source": session.source, "report": session.source.parent / HELPER}
        if os.environ.get("TMPDIR"):
            roots["tmp"] = Path(os.environ["TMPDIR"])
        known = session.shared["written"] = Written(roots, session.checkpoints)
    return known


def _grouped(
    keys: list[tuple[str, str]], files: Mapping[tuple[str, str], trees.Stamp]
) -> Iterator[list[tuple[str, str]]]:
    """In groups that are small enough to be held in memory."""
    group: list[tuple[str, str]] = []
    size = 0
    for key in keys:
        if group and size + files[key].size > _MOST_ENTRY:
            yield group
            group, size = [], 0
        group.append(key)
        size += files[key].size
    if group:
        yield group


def _read(path: Path) -> bytes | None:
    """A file's content as it is at one moment; None where it has just gone."""
    content = None
    for _ in range(_TRIES):
        before = trees.stamp(path)
        if before is None:
            return None
        if before.size > _MOST_FILE:
            raise OSError(errno.EFBIG, f"{path.name} is too big to be kept: {before.size} bytes")
        content = path.read_bytes()
        if trees.stamp(path) == before:
            break
    return content  # a file that somebody never stops writing to is kept as it was read last


def _write(path: Path, content: Any, mode: int) -> tuple[int, int]:
    """Writes a file in place; gives what identifies it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink():
        path.unlink()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.truncate()
        os.fchmod(descriptor, mode)
        return _identity(descriptor)


def _open_for_writing() -> Iterator[tuple[int, str]]:
    """Descriptors of this process that can write to a regular file, each with its path."""
    for name in os.listdir(_OPEN):  # noqa: PTH208
        number = int(name)
        with contextlib.suppress(OSError):
            is_file = stat.S_ISREG(os.fstat(number).st_mode)
            if is_file and fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE:
                yield number, os.readlink(_OPEN / name)  # noqa: PTH115


def _identity(descriptor: int) -> tuple[int, int]:
    facts = os.fstat(descriptor)
    return facts.st_dev, facts.st_ino


def _is_below(path: str, roots: Iterable[Path]) -> bool:
    return any(path == str(root) or path.startswith(f"{root}{os.sep}") for root in roots)
