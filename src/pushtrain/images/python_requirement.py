"""Which Python a repository asks for, and whether the image's will do."""

from __future__ import annotations

import configparser
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from pushtrain.errors import ImageError

_MOST = 1024 * 1024


def check(root: Path, python: str) -> tuple[str, ...]:
    """Compares what a repository says with an image's Python.

    A repository that asks for an older Python is trained all the same: it is said. So is a pinned
    version of a tool (.python-version, runtime.txt), which is a habit more than a need.

    Args:
        root: the repository's tree.
        python: the image's Python ("3.11").

    Returns:
        Sentences for the plan.

    Raises:
        ImageError: its metadata requires a newer Python than the image has.
    """
    said = []
    for place, text, is_required in _stated(root):
        try:
            specifier = SpecifierSet(text)
        except InvalidSpecifier:
            said.append(f"warning: {place} asks for Python {text!r}, which says nothing")
            continue
        if specifier.contains(f"{python}.99"):
            said.append(f"Python {python} is what {place} asks for ({text})")
        elif is_required and _is_newer(specifier, python):
            raise ImageError(
                f"{place} requires Python {text}, and the image has {python}",
                hint="set BASE_IMAGE to an image with such a Python, as python:3.13-slim",
                python=python,
                required=text,
            )
        else:
            said.append(f"warning: {place} asks for Python {text}; the image has {python}")
    return tuple(said)


def _is_newer(specifier: SpecifierSet, python: str) -> bool:
    """Whether a lower bound lies above the image's Python."""
    return any(
        one.operator in (">=", ">", "~=", "==")
        and Version(one.version.removesuffix(".*")).release[:2] > Version(python).release
        for one in specifier
    )


def _stated(root: Path) -> Iterator[tuple[str, str, bool]]:
    """(file, specifier, whether it is a requirement) for each file that says something."""
    try:
        project = tomllib.loads(_text(root, "pyproject.toml")).get("project", {})
    except tomllib.TOMLDecodeError:
        project = {}
    if isinstance(project, dict) and isinstance(project.get("requires-python"), str):
        yield "pyproject.toml", project["requires-python"], True
    setup = configparser.RawConfigParser()
    try:
        setup.read_string(_text(root, "setup.cfg"))
    except configparser.Error:
        setup = configparser.RawConfigParser()
    required = setup.get("options", "python_requires", fallback="")
    if required:
        yield "setup.cfg", required, True
    for file in (".python-version", "runtime.txt"):
        pinned = re.match(r"\s*(?:python-)?(\d+\.\d+)(?:\.\d+)?\s*$", _text(root, file))
        if pinned:
            yield file, f"=={pinned[1]}.*", False


def _text(root: Path, name: str) -> str:
    path = root / name
    try:
        if path.is_symlink() or path.stat().st_size > _MOST:
            return ""
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
