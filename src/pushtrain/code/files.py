"""The Python files of a tree: found, decoded, parsed once, and never outside the tree."""

from __future__ import annotations

import ast
import io
import os
import tokenize
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pushtrain.code import notebook, repair
from pushtrain.entities import Parsed
from pushtrain.errors import SourceError

MOST_BYTES = 2 * 1024 * 1024
"""A larger file is data, whatever its name ends with."""

_SKIPPED = frozenset(
    {"__pycache__", "node_modules", "site-packages", "venv", "env", "build", "dist"}
)
_MOST_FILES = 5_000


@dataclass(frozen=True, slots=True, eq=False)
class Text:
    """One file, read: its text, and its syntax tree where it has one.

    Attributes:
        path: POSIX path relative to the tree's root.
        text: what stands in the file; for a notebook, the code that it exports.
        tree: its syntax tree; with `parsed` TOKENS only of the parts that could be read.
        parsed: whether the file is valid Python 3 as it stands.
        error: why it is not.
    """

    path: str
    text: str
    tree: ast.Module | None
    parsed: Parsed
    error: str = ""


class Files:
    """The files below one root, each read at most once.

    Args:
        root: the tree. Symbolic links that leave it are not followed.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._texts: dict[str, Text] = {}
        self._kinds: dict[str, str] = {}

    def read(self, path: str) -> Text:
        """The file at `path` (POSIX, relative to the root).

        Raises:
            SourceError: it is outside the root, missing, not a regular file, or over 2 MiB.
        """
        known = self._texts.get(path)
        if known is None:
            known = self._texts[path] = _parse(path, _decode(self._bytes(path)))
        return known

    def is_file(self, path: str) -> bool:
        """Whether a regular file stands there, inside the root."""
        return self._kind(path) == "file"

    def is_directory(self, path: str) -> bool:
        """Whether a directory stands there, inside the root."""
        return self._kind(path) == "directory"

    def scripts(self) -> tuple[str, ...]:
        """All Python files and notebooks of the tree, sorted; hidden and vendored ones left out."""
        found: list[str] = []
        for directory, subdirectories, names in os.walk(self.root):
            subdirectories[:] = sorted(
                name
                for name in subdirectories
                if not name.startswith(".")
                and name not in _SKIPPED
                and not Path(directory, name, "pyvenv.cfg").exists()
            )
            base = PurePosixPath(Path(directory).relative_to(self.root).as_posix())
            found += [
                path
                for name in names
                if name.endswith((".py", ".ipynb"))
                and not name.startswith(".")
                and self.is_file(path := str(base / name))
            ]
            if len(found) > _MOST_FILES:
                break
        return tuple(sorted(found)[:_MOST_FILES])

    def _kind(self, path: str) -> str:
        kind = self._kinds.get(path)
        if kind is None:
            kind = self._kinds[path] = self._look(path)
        return kind

    def _look(self, path: str) -> str:
        try:
            there = self.root / path
            if there.is_file():
                kind = "file"
            elif there.is_dir():
                kind = "directory"
            else:
                return ""
            return kind if there.resolve().is_relative_to(self.root) else ""
        except (OSError, ValueError, RuntimeError):  # too long, a null byte, a loop of links
            return ""

    def _bytes(self, path: str) -> bytes:
        if not self.is_file(path):
            raise SourceError(
                f"no file {path} in {self.root}", hint="name a script inside the tree", file=path
            )
        try:
            with (self.root / path).open("rb") as file:
                content = file.read(MOST_BYTES + 1)
        except OSError as error:
            raise SourceError(
                f"{path} cannot be read: {error.strerror}", hint="check its mode", file=path
            ) from None
        if len(content) > MOST_BYTES:
            raise SourceError(
                f"{path} is larger than 2 MiB", hint="is it a training script?", file=path
            )
        return content


def _decode(content: bytes) -> str:
    """The text by BOM or PEP 263 declaration, else UTF-8, else Latin-1 (which always fits)."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _lines(content.decode("utf-16", "replace"))
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        return _lines(content.decode(encoding))
    except (SyntaxError, UnicodeError, LookupError, ValueError):
        return _lines(content.decode("latin-1"))


def _lines(text: str) -> str:
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def _parse(path: str, content: str) -> Text:
    text = notebook.code(content) if path.endswith(".ipynb") else content
    try:
        return Text(path, text, parse(text), Parsed.AST)
    except ValueError as error:
        reason = str(error)
    return Text(path, text, repair.salvage(text), Parsed.TOKENS, reason)


def parse(text: str) -> ast.Module:
    """The syntax tree of Python 3.

    Raises:
        ValueError: it is not Python 3, or nested too deeply to be read.
    """
    try:
        return repair.parse(text)
    except SyntaxError as error:
        where = f" (line {error.lineno})" if error.lineno else ""
        raise ValueError(f"{error.msg}{where}") from None
