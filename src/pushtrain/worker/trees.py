"""Directory trees that a script has written to: measuring, removing and collecting them.

The script may have left anything: folders deeper than a path can name, links, devices, files
without permissions. Nothing here follows a link.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ENTRY = 4096
"""Bytes that every file and folder counts for at least, so that empty ones do not come free."""

_MOST_ENTRIES = 2000
"""Files, and the folders that hold them, that one `collect` moves: the driver takes 5,000 files
and 10,000 entries of a trial, and no trial of whose output it has to refuse a part."""
_MOST_NAME = 900
"""Bytes of a collected file's path."""

_MOST_REFUSED = 1000
_LONG = 2048
"""Bytes of a path to which one more name can still be added."""

UNMEASURABLE = 2**62
"""The usage of a tree with folders deeper than a path can name."""


def usage(*trees: Path, most: int = UNMEASURABLE) -> int:
    """Bytes on disk of everything below `trees`; counting ends beyond `most`."""
    total = 0
    try:
        for tree in trees:
            for entry in walk(tree):
                total += max(ENTRY, _blocks(entry) * 512)
                if total > most:
                    return total
    except OSError:
        return UNMEASURABLE
    return total


def _blocks(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_blocks
    except FileNotFoundError:  # it has just been removed
        return 0


def walk(tree: Path) -> Iterator[os.DirEntry[str]]:
    """Every entry below `tree`; what vanishes meanwhile is left out.

    Raises:
        OSError: a folder's path is too long, or it cannot be read.
    """
    pending = [str(tree)]
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                    yield entry
        except FileNotFoundError:
            continue


def empty(directory: Path, keep: str = "") -> None:
    """Removes everything of this user's in `directory`, whatever its depth and permissions.

    Args:
        directory: made where it is missing.
        keep: name of a folder in it that stays.
    """
    directory.mkdir(parents=True, exist_ok=True)
    if directory.stat().st_uid == os.getuid():
        directory.chmod(0o700)
    pending = [(str(directory), False)]
    while pending:
        folder, is_empty = pending.pop()
        if is_empty:
            with contextlib.suppress(OSError):  # something of another user's is in it
                os.rmdir(folder)  # noqa: PTH106
            continue
        if folder != str(directory):
            pending.append((folder, True))
        inner = _remove_files(folder, directory)
        pending += [(one, False) for one in inner if one != str(directory / keep)]


def _remove_files(folder: str, top: Path) -> list[str]:
    """Removes the files in a folder; gives its folders, too deep ones moved to `top`."""
    folders = []
    with os.scandir(folder) as entries:
        for entry in list(entries):
            if entry.stat(follow_symlinks=False).st_uid != os.getuid():
                continue
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.path)  # noqa: PTH108
                continue
            os.chmod(entry.path, 0o700)  # noqa: PTH101
            inner = entry.path
            if len(os.fsencode(inner)) > _LONG:
                inner = str(top / f".removed-{secrets.token_hex(8)}")
                os.rename(entry.path, inner)  # noqa: PTH104
            folders.append(inner)
    return folders


class Stamp(NamedTuple):
    """What tells that a file has not been touched since."""

    inode: int
    size: int
    modified: int
    changed: int


def stamps(tree: Path) -> dict[str, Stamp]:
    """The files of a tree by relative path."""
    found = (
        (os.path.relpath(entry.path, tree), stamp(entry))
        for entry in walk(tree)
        if not entry.is_dir(follow_symlinks=False)
    )
    return {path: one for path, one in found if one is not None}


def copy(source: Path, target: Path) -> None:
    """Copies a tree with its links as they are; the copy can be written to."""
    shutil.copytree(source, target, symlinks=True, copy_function=shutil.copyfile)
    target.chmod(0o755)
    for entry in walk(source):
        is_folder = entry.is_dir(follow_symlinks=False)
        is_file = entry.is_file(follow_symlinks=False)
        if is_folder or (is_file and entry.stat().st_mode & 0o100):
            (target / os.path.relpath(entry.path, source)).chmod(0o755)


def collect(
    tree: Path, target: Path, known: dict[str, Stamp], *, most: int, prefix: str
) -> tuple[list[str], int]:
    """Moves the regular files of `tree` that are not `known` to `target`.

    Args:
        tree: where the script wrote; all of its processes have ended.
        target: made if there is anything to move.
        known: files that do not count while they are as they were.
        most: bytes of apparent size in all.
        prefix: what stands before a path in a refusal.

    Returns:
        What was refused and why, such as `files/evil (symbolic link)`, and what is left of
        `most`.
    """
    refused = []
    left = most
    entries: set[Path] = set()
    try:
        for entry in sorted(walk(tree), key=lambda entry: entry.path):
            path = os.path.relpath(entry.path, tree)
            if entry.is_dir(follow_symlinks=False) or known.get(path) == stamp(entry):
                continue
            if "__pycache__" in Path(path).parts:
                continue
            reason = _objection(entry, path, left)
            if reason:
                refused.append(f"{prefix}/{path} ({reason})")
                if len(refused) >= _MOST_REFUSED:
                    break
                continue
            entries |= {Path(path), *Path(path).parents}
            if len(entries) > _MOST_ENTRIES:
                refused.append(f"{prefix}/ (of so many files the rest, from {path} on)")
                break
            left -= entry.stat().st_size
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            os.chmod(entry.path, 0o644)  # noqa: PTH101
            _move(entry, target / path)
    except OSError as error:
        refused.append(f"{prefix}/ (cannot be read: {error.strerror})")
    return refused, left


def _move(entry: os.DirEntry[str], target: Path) -> None:
    if entry.stat().st_nlink > 1:
        shutil.copyfile(entry.path, target)  # as a link it would not be taken from the container
    else:
        os.rename(entry.path, target)  # noqa: PTH104


def _objection(entry: os.DirEntry[str], path: str, left: int) -> str:
    mode = entry.stat(follow_symlinks=False).st_mode
    if stat.S_ISLNK(mode):
        return "symbolic link"
    if not stat.S_ISREG(mode):
        return {stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket"}.get(stat.S_IFMT(mode), "device")
    if not path.isprintable() or "\\" in path:
        return "name with control characters or backslashes"
    if len(path.encode()) > _MOST_NAME:
        return "name too long"
    return "more than may be kept" if entry.stat().st_size > left else ""


def stamp(entry: Path | os.DirEntry[str]) -> Stamp | None:
    """A file's stamp, None where there is none."""
    try:
        facts = os.stat(entry, follow_symlinks=False)  # noqa: PTH116
    except OSError:
        return None
    return Stamp(facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)
