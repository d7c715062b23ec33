"""The files of a plain directory, and of a work tree with uncommitted changes."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from pushtrain.source.git import OFFLINE, git
from pushtrain.source.tree import TreeWriter, chunks

LEFT_OUT = (
    "__pycache__/",
    "*.py[co]",
    ".venv/",
    "node_modules/",
    ".ipynb_checkpoints/",
    ".pytest_cache/",
    ".mypy_cache/",
    ".ruff_cache/",
    ".DS_Store",
)
"""What is never part of a source, in the language of .gitignore; virtual environments under any
name are recognised by their pyvenv.cfg."""


def copy(directory: Path, writer: TreeWriter, warn: Callable[[str], None]) -> None:
    """Writes what belongs to `directory` through `writer` (`finish` is the caller's).

    That is what `git add` would take: everything but what .gitignore files name (a tracked file
    always belongs), and but `LEFT_OUT`. Repositories inside it are taken with their files.

    Raises:
        SourceError: over the writer's cap, or a file changed its kind while it was read.
    """
    for path in _files(directory):
        place = directory / path
        try:
            mode = place.lstat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            continue  # deleted, but still in git's index
        if stat.S_ISLNK(mode):
            writer.link(path, str(place.readlink()))
        elif stat.S_ISREG(mode):
            writer.file(path, chunks(place), is_executable=bool(mode & 0o100))
        elif not stat.S_ISDIR(mode):
            warn(f"{path} was left out: neither a file nor a directory")


def is_dirty(where: tuple[str, str]) -> bool:
    """Whether a work tree holds anything that its commit does not (ignored files aside)."""
    return bool(git("status", "--porcelain", "-z", where=(*OFFLINE, *where)))


def _files(directory: Path) -> Iterator[str]:
    """POSIX paths relative to the directory, sorted."""
    if _is_tracked(directory):
        listing = _list(("-C", str(directory)), "--cached")
    else:
        # An empty repository elsewhere makes git read the directory's .gitignore files.
        with tempfile.TemporaryDirectory(prefix="pushtrain-") as empty:
            git("init", "--quiet", "--bare", "--", empty)
            options = ("--git-dir", empty, "--work-tree", ".", "-c", "core.bare=false")
            listing = _list(("-C", str(directory), *options))
    environments = tuple(
        path.removesuffix("pyvenv.cfg") for path in listing if path.endswith("/pyvenv.cfg")
    )
    for path in sorted(set(listing)):
        if path.startswith(environments):
            continue
        place = directory / path
        if place.is_dir() and not place.is_symlink():  # a repository inside this one
            inner = path.rstrip("/")
            yield from (f"{inner}/{name}" for name in _files(place))
        else:
            yield path


def _list(where: tuple[str, ...], *options: str) -> list[str]:
    exclude = [f"--exclude={pattern}" for pattern in LEFT_OUT]
    listing = git(
        "ls-files",
        "-z",
        *options,
        "--others",
        "--exclude-standard",
        *exclude,
        where=(*OFFLINE, *where),
    )
    return [os.fsdecode(path) for path in listing.split(b"\0") if path]


def _is_tracked(directory: Path) -> bool:
    """Whether the directory belongs to a work tree that does not ignore it as a whole."""
    where = (*OFFLINE, "-C", str(directory))
    inside = git("rev-parse", "--is-inside-work-tree", where=where, accept=(0, 128))
    return inside.strip() == b"true" and not git(
        "check-ignore", "--", ".", where=where, accept=(0, 1, 128)
    )
