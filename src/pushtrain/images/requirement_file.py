"""A repository's requirements file, read line by line: plain PEP 508 lines count, nothing else.

The file comes from whoever pushed: it can name packages, and cannot say where they come from.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from pushtrain.errors import SettingsError

_MOST = 1024 * 1024
_MOST_FILES = 20
_ENCODINGS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""PowerShell writes UTF-16 when it redirects `pip freeze`."""
_INCLUDE = re.compile(r"(?:-r|--requirement)[\s=]*(?P<path>\S+)$")
_OPTION_OF_LINE = re.compile(r"\s+--[a-z][a-z-]*[=\s].*$")
_OWN_TREE = re.compile(r"(?:(?:-e|--editable)[\s=]*)?\.{1,2}(?:/\S*)?(?:\[[^\]]*\])?$")


@dataclass(frozen=True, slots=True)
class Written:
    """A requirement, and where it is written ("requirements.txt:3")."""

    requirement: Requirement
    place: str


@dataclass(frozen=True, slots=True)
class RequirementFile:
    """What a file asks for, with what was left out of it, and why."""

    path: str
    written: tuple[Written, ...]
    notes: tuple[str, ...] = ()


def read(root: Path, path: str) -> RequirementFile:
    """Reads a requirements file of a tree, and those that it includes.

    Args:
        root: the tree; nothing outside it is read, whatever links say.
        path: the file, as a POSIX path relative to the root.

    Raises:
        SettingsError: a file is missing, or a line is no plain requirement; names file and line.
    """
    reader = _Reader(root)
    reader.read(path, asked_by="")
    return RequirementFile(path, tuple(reader.written), tuple(reader.notes))


def find(root: Path, entry: str) -> str | None:
    """The requirements.txt that belongs to an entry script: beside it, or in a folder above."""
    folder = PurePosixPath(entry).parent
    for place in (folder, *folder.parents):
        path = place / "requirements.txt"
        if _inside(root, str(path)) is not None:
            return str(path)
    return None


class _Reader:
    def __init__(self, root: Path) -> None:
        self._root = root
        self._seen: set[str] = set()
        self.written: list[Written] = []
        self.notes: list[str] = []

    def read(self, path: str, asked_by: str) -> None:
        if path in self._seen:
            return
        self._seen.add(path)
        found = _inside(self._root, path) if len(self._seen) <= _MOST_FILES else None
        if found is None or found.stat().st_size > _MOST:
            raise SettingsError(
                f"{asked_by or '[image] requirements'} names {path}, which is no requirements file"
                " inside the repository",
                hint="name a text file by its path from the repository's top",
                path=path,
            )
        for number, line in _lines(_text(found)):
            self._line(line, path, f"{path}:{number}")

    def _line(self, line: str, path: str, place: str) -> None:
        include = _INCLUDE.match(line)
        if include:
            self.read(_joined(PurePosixPath(path).parent, include["path"]), asked_by=place)
        elif _OWN_TREE.match(line):
            self.notes.append(f"{place}: {line!r} is left out: the code runs from its own tree")
        elif line.startswith("-") and not line.startswith(("-e", "--editable")):
            option = line.split("=", 1)[0].split(maxsplit=1)[0]
            self.notes.append(
                f"{place}: {option} is left out: this machine says where packages come from"
            )
        else:
            self.written.append(Written(self._requirement(line, place), place))

    def _requirement(self, line: str, place: str) -> Requirement:
        try:
            found = Requirement(_OPTION_OF_LINE.sub("", line))
        except InvalidRequirement:
            raise _refused(line, place) from None
        if found.url is None:
            return found
        if not found.url.startswith("file:"):  # what conda's pip writes for its own packages
            raise _refused(line, place)
        self.notes.append(f"{place}: {found.name} is taken in any version: {found.url} is not here")
        return Requirement(canonicalize_name(found.name))


def _refused(line: str, place: str) -> SettingsError:
    shown = re.sub(r"//[^/@\s]*@", "//", line)
    return SettingsError(
        f"{place}: {shown!r} is no plain requirement (name, version, marker)",
        hint="write it like `mlxtend>=0.23`, put the code itself into the repository, or name "
        "another file under [image] requirements",
        place=place,
    )


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Logical lines with the number of their first, without comments; as pip joins them."""
    joined, first = "", 0
    for number, raw in enumerate(text.splitlines(), 1):
        first = first or number
        if raw.endswith("\\") and not raw.lstrip().startswith("#"):
            joined += raw[:-1] + " "
            continue
        line = re.sub(r"(^|\s+)#.*$", "", joined + raw).strip()
        if line:
            yield first, line
        joined, first = "", 0


def _text(path: Path) -> str:
    raw = path.read_bytes()
    encoding = next((name for mark, name in _ENCODINGS if raw.startswith(mark)), "utf-8")
    return raw.decode(encoding, "replace")


def _joined(folder: PurePosixPath, path: str) -> str:
    parts: list[str] = []
    for part in (folder / path).parts:
        if part == "..":
            if not parts:
                return path  # leaves the tree: found nowhere in it
            parts.pop()
        else:
            parts.append(part)
    return str(PurePosixPath(*parts))


def _inside(root: Path, path: str) -> Path | None:
    """The regular file at a path of the tree, unless it, or a folder, leads out of it."""
    try:
        found = (root / path).resolve(strict=True)
    except (OSError, ValueError):
        return None
    return found if found.is_file() and found.is_relative_to(root.resolve()) else None
