"""A commit's tree in the file system, byte for byte as it was committed.

Read by `git ls-tree` and `git cat-file`, not by `git checkout` or `git archive`: no filter, hook,
line-ending conversion, `export-ignore` or setting of the repository has a say, so the same commit
is the same tree on every machine.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pushtrain.errors import SourceError
from pushtrain.source.git import OFFLINE, Child, git, spawned
from pushtrain.source.tree import CHUNK, TreeWriter, chunks

_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:.*\n)*?oid sha256:([0-9a-f]{64})\n"
)
_MOST_POINTER = 1024  # bytes, by the specification of Git LFS
_SECONDS = 1800.0


@dataclass(frozen=True, slots=True)
class _Entry:
    mode: str
    id: str
    size: int
    path: str


def export(
    where: tuple[str, str], commit: str, writer: TreeWriter, warn: Callable[[str], None]
) -> None:
    """Writes the tree of `commit` through `writer` (`finish` is the caller's).

    Submodules are not fetched. A Git LFS pointer is replaced by its content where the
    repository's own LFS store has it; nothing is downloaded.

    Raises:
        SourceError: the tree is over the writer's cap, or an object is missing.
    """
    entries = _entries(where, commit)
    for entry in entries:
        if entry.mode == "160000":
            warn(f"{entry.path} is a submodule and was left out; commit its files instead")
    blobs = [entry for entry in entries if entry.mode in ("100644", "100664", "100755", "120000")]
    writer.check(len(blobs), sum(entry.size for entry in blobs))
    pointers: list[str] = []
    store = _lfs_store(where)
    request = "".join(f"{entry.id}\n" for entry in blobs).encode()
    with spawned(["cat-file", "--batch"], where=(*OFFLINE, *where), seconds=_SECONDS) as child:
        child.feed(request)
        for entry in blobs:
            content = _content(child, entry)
            if entry.mode == "120000":
                writer.link(entry.path, os.fsdecode(b"".join(content)))
                continue
            if entry.size < _MOST_POINTER:
                small = b"".join(content)
                content = iter((small,))
                if pointer := _POINTER.match(small):
                    stored = _stored(store, pointer[1].decode())
                    pointers += [] if stored else [entry.path]
                    content = chunks(stored) if stored else content
            writer.file(entry.path, content, is_executable=entry.mode == "100755")
    if pointers:
        more = f" (and {len(pointers) - 1} more)" if len(pointers) > 1 else ""
        warn(
            f"{pointers[0]}{more}: only a Git LFS pointer, its content is not in the repository; "
            "run `git lfs fetch` in it, or commit the file itself"
        )


def _entries(where: tuple[str, str], commit: str) -> list[_Entry]:
    listing = git("ls-tree", "-r", "-z", "-l", "--full-tree", commit, where=(*OFFLINE, *where))
    entries = []
    for line in filter(None, listing.split(b"\0")):
        facts, _, path = line.partition(b"\t")
        mode, _, identity, size = facts.decode().split()
        entries.append(_Entry(mode, identity, int(size) if size != "-" else 0, os.fsdecode(path)))
    return entries


def _content(child: Child, entry: _Entry) -> Iterator[bytes]:
    header = child.output.readline().split()
    if len(header) != 3 or header[1] != b"blob":
        raise SourceError(
            f"{entry.path}: object {entry.id[:12]} is missing from the repository",
            hint="run `git fsck` there; a partial clone must be made whole: `git fetch --refetch`",
        )
    return _read(child.output, int(header[2]), entry)


def _read(stream: IO[bytes], size: int, entry: _Entry) -> Iterator[bytes]:
    left = size
    while left:
        chunk = stream.read(min(left, CHUNK))
        if not chunk:
            raise SourceError(f"{entry.path}: git ended in the middle", hint="run `git fsck`")
        left -= len(chunk)
        yield chunk
    stream.read(1)  # the newline that ends every object


def _lfs_store(where: tuple[str, str]) -> Path:
    common = git("rev-parse", "--git-common-dir", where=(*OFFLINE, *where)).decode().strip()
    return Path(where[1], common, "lfs", "objects")


def _stored(store: Path, identity: str) -> Path | None:
    path = store / identity[:2] / identity[2:4] / identity
    return path if path.is_file() and not path.is_symlink() else None
