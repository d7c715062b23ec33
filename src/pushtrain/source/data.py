"""The fingerprint of the data that a training reads."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from pushtrain.source.tree import chunks

_CODE = re.compile(r"\.(py|pyi|ipynb|md|rst|toml|cfg|ini|lock|sh|bash|ps1|bat|dockerfile)")
_NAMES = frozenset({"license", "readme", "makefile", "dockerfile", "jenkinsfile", "changelog"})


def fingerprint(root: Path, declared: Mapping[str, Path] | None = None) -> str:
    """`sha256:<hex>` over the names and contents of all data files.

    Data is every regular file of the tree but code, its documentation and settings (by suffix
    and name) and hidden files; of a declared directory it is every regular file. Symbolic links
    count with their target's name.

    Args:
        root: the source's tree.
        declared: `[data]` directories that this machine can read, by their path inside the
            container.
    """
    digest = hashlib.sha256()
    for path in _walk(root):
        if is_data(path):
            _add(digest, path, root / path)
    for inside, directory in sorted((declared or {}).items()):
        for path in _walk(directory):
            _add(digest, f"{inside}/{path}", directory / path)
    return f"sha256:{digest.hexdigest()}"


def is_data(path: str) -> bool:
    """Whether a file of the tree is data, judged by its POSIX path alone."""
    pure = PurePosixPath(path.lower())
    if any(part.startswith(".") for part in pure.parts):
        return False
    is_requirements = pure.name.startswith("requirements") and pure.suffix == ".txt"
    return not (_CODE.fullmatch(pure.suffix) or pure.stem in _NAMES or is_requirements)


def _walk(root: Path) -> Iterator[str]:
    for directory, folders, files in os.walk(root):
        folders.sort()
        links = [name for name in folders if (Path(directory) / name).is_symlink()]
        for name in sorted([*files, *links]):
            yield (Path(directory) / name).relative_to(root).as_posix()


def _add(digest: hashlib._Hash, name: str, path: Path) -> None:
    content = hashlib.sha256()
    if path.is_symlink():
        content.update(os.fsencode(path.readlink()))
    elif path.is_file():
        for chunk in chunks(path):
            content.update(chunk)
    else:
        return
    digest.update(os.fsencode(name) + b"\0" + content.digest())
