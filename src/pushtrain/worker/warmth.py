"""Imports that every trial's script would repeat, done once and by process 1."""

from __future__ import annotations

import ast
import contextlib
import importlib
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

_KEPT = {
    "PIL", "cv2", "h5py", "imblearn", "joblib", "matplotlib", "mlxtend", "nltk", "numpy", "pandas",
    "scipy", "seaborn", "skimage", "sklearn", "tqdm",
}  # fmt: skip
"""Packages whose import starts nothing that a fork would lose, draws nothing and reads no data."""

_MOST_FILES, _MOST_BYTES = 200, 256 * 1024


def warm(source: Path) -> None:
    """Imports what the scripts in a tree import of the well-known packages, where it can be."""
    modules = sorted({name for path in _scripts(source) for name in _imports(path)})
    for module in modules:
        if module.partition(".")[0] in _KEPT and not _is_local(source, module):
            with warnings.catch_warnings(), contextlib.suppress(Exception):
                warnings.simplefilter("ignore")
                importlib.import_module(module)


def _scripts(source: Path) -> Iterator[Path]:
    found = 0
    for folder, _, names in os.walk(source):
        for name in names:
            if name.endswith(".py") and found < _MOST_FILES:
                found += 1
                yield Path(folder) / name


def _imports(path: Path) -> Iterator[str]:
    """Modules that a script imports by name; nothing of one that cannot be parsed."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def _is_local(source: Path, module: str) -> bool:
    name = module.partition(".")[0]
    places = (source, *(Path(path) for path in sys.path[:1]))
    return any((place / name).exists() or (place / f"{name}.py").exists() for place in places)
