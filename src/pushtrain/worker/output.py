"""What a trial leaves on disk: what it reports of itself, and the files that are brought out."""

from __future__ import annotations

import json
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from pushtrain.worker import trees
from pushtrain.worker.values import number

REPORT = "pushtrain.json"
"""The file in which a script may report its own metrics, in its working directory."""
HELPER = "report.jsonl"
"""What `pushtrain.report` writes to, in the trial's directory."""

_MOST = 1024 * 1024
_MOST_METRICS = 1000


class Output:
    """The directories of a trial whose processes have all ended; whatever they were made into.

    Args:
        trials: where the trials' directories lie.
        folder: the trial's own.
        known: the files of its source as they were before it began.
    """

    def __init__(self, trials: Path, folder: Path, known: dict[str, trees.Stamp]) -> None:
        self._trials = trials
        self._folder = folder
        self._known = known
        self._gathered = trials / f".out-{secrets.token_hex(8)}"
        for directory in (trials, folder, folder / "source", folder / "out"):
            _make_plain(directory)
        self._gathered.mkdir()

    def reported(self, workdir: str) -> Iterator[tuple[str, float, str]]:
        """(metric, value, where it was reported), in the order in which that was done."""
        for line in _read(self._folder / HELPER).splitlines():
            yield from _metrics(line, "pushtrain.report")
        path = os.path.normpath(os.path.join(workdir, REPORT))  # noqa: PTH118
        file = self._folder / "source" / path
        if self._known.get(path) != trees.stamp(file):
            yield from _metrics(_read(file), path)

    def collect(self, most: int) -> list[str]:
        """Gathers the model and the files that the script wrote; gives what was refused.

        Args:
            most: bytes in all.
        """
        model, left = trees.collect(
            self._folder / "out" / "model", self._gathered / "model", {}, most=most, prefix="model"
        )
        files, _ = trees.collect(
            self._folder / "source",
            self._gathered / "files",
            self._known,
            most=left,
            prefix="files",
        )
        return model + files

    def holds(self, path: str) -> bool:
        """Whether a path that the script named has been gathered."""
        parts = path.split("/")
        return not {"", ".", ".."} & set(parts) and (self._gathered / path).exists()

    def files(self) -> int:
        """How many files have been gathered."""
        return sum(not entry.is_dir(follow_symlinks=False) for entry in trees.walk(self._gathered))

    def publish(self, result: bytes) -> None:
        """Puts what was gathered, and the result, where it is fetched from."""
        (self._gathered / "result.json").write_bytes(result)
        out = self._folder / "out"
        out.rename(self._trials / f".left-{secrets.token_hex(8)}")
        self._gathered.rename(out)


def _make_plain(directory: Path) -> None:
    """Sees to it that a directory is one, and can be read and written."""
    try:
        is_directory = stat.S_ISDIR(directory.lstat().st_mode)
    except FileNotFoundError:
        is_directory = False
    else:
        if not is_directory:
            directory.unlink()
    if is_directory:
        directory.chmod(0o700)
    else:
        directory.mkdir()


def _read(path: Path) -> str:
    """The text of a small regular file; empty for anything else, and nothing is waited for."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return ""
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return ""
        return file.read(_MOST).decode("utf-8", "replace")


def _metrics(text: str, source: str) -> Iterator[tuple[str, float, str]]:
    """The numbers of a flat JSON object; nothing of anything else."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return
    if isinstance(values, dict):
        for name, value in list(values.items())[:_MOST_METRICS]:
            measured = None if isinstance(value, bool) else number(value)
            if measured is not None:
                yield name, measured, source
