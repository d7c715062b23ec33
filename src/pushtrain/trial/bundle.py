"""What goes into a training container: the worker's own files, the pushed tree, a trial's order."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from pushtrain.errors import SourceError
from pushtrain.interfaces import OutgoingFile
from pushtrain.trial.protocol import TrialOrder

_LEFT_OUT = frozenset({".git", "__pycache__"})


def worker_files() -> Iterator[OutgoingFile]:
    """The worker as a directory that Python can run: standard library only, found beside us."""
    package = files("pushtrain")
    worker = package / "worker"
    yield OutgoingFile("__main__.py", (worker / "launch.py").read_bytes())
    for name in ("__init__.py", "script.py", "stack.py"):
        yield OutgoingFile(f"pushtrain/{name}", (package / name).read_bytes())
    yield from _resources(worker, "pushtrain/worker")


def _resources(folder: Traversable, path: str) -> Iterator[OutgoingFile]:
    for item in sorted(folder.iterdir(), key=lambda item: item.name):
        if item.is_dir():
            if item.name not in _LEFT_OUT:
                yield from _resources(item, f"{path}/{item.name}")
        elif not item.name.endswith((".md", ".pyc")):
            yield OutgoingFile(f"{path}/{item.name}", item.read_bytes())


def adapters() -> tuple[str, ...]:
    """The frameworks that the worker has an adapter for."""
    folder = files("pushtrain") / "worker" / "adapters"
    names = (item.name.removesuffix(".py") for item in folder.iterdir() if item.is_file())
    return tuple(sorted(name for name in names if name.isidentifier() and name[0] != "_"))


def source_files(root: Path, on_left_out: Callable[[str], None]) -> Iterator[OutgoingFile]:
    """The pushed tree, file by file in a stable order, executable bits kept.

    A symbolic link that stays inside the tree goes in as what it points to. What cannot go in (a
    link that leaves the tree or leads nowhere, a device, a socket) is left out and named to
    `on_left_out`, since most trees train without it and its absence explains the rest.

    Raises:
        SourceError: a directory or file of the tree cannot be read.
    """
    try:
        yield from _tree(root.resolve(strict=True), root, "", on_left_out, ())
    except OSError as error:
        raise SourceError(
            f"source file {error.filename} cannot be read: {error.strerror}",
            hint="make it readable for the user that runs pushtrain",
        ) from error


def _tree(
    root: Path,
    folder: Path,
    prefix: str,
    on_left_out: Callable[[str], None],
    above: tuple[Path, ...],
) -> Iterator[OutgoingFile]:
    real = folder.resolve(strict=True)
    if real in above:
        on_left_out(f"{prefix.rstrip('/')} (a link to a directory that contains it)")
        return
    with os.scandir(real) as entries:
        names = sorted(entry.name for entry in entries)
    for name in names:
        if name in _LEFT_OUT:
            continue
        path = prefix + name
        inside = real / name
        problem = _problem(root, inside)
        if problem:
            on_left_out(f"{path.encode('utf-8', 'replace').decode()} ({problem})")
        elif inside.is_dir():
            yield from _tree(root, inside, f"{path}/", on_left_out, (*above, real))
        else:
            target = inside.resolve(strict=True)
            mode = 0o755 if target.stat().st_mode & stat.S_IXUSR else 0o644
            yield OutgoingFile(path, local=str(target), mode=mode)


def _problem(root: Path, path: Path) -> str:
    """Why a path of the tree cannot go in; empty if it can."""
    try:
        path.name.encode("utf-8")
        target = path.resolve(strict=True)
        mode = target.stat().st_mode
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    except (OSError, RuntimeError):
        return "a link that leads nowhere"
    if not target.is_relative_to(root) or ".git" in target.relative_to(root).parts:
        return "a link that leaves the tree"
    return "" if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else "not a regular file"


def order_files(order: TrialOrder, changed: Mapping[str, bytes]) -> Iterator[OutgoingFile]:
    """A trial's order and changed files; READY, which the worker waits for, comes last."""
    yield OutgoingFile("order.json", order.encode())
    for path, content in sorted(changed.items()):
        yield OutgoingFile(f"changed/{path}", content)
    yield OutgoingFile("READY", b"")
