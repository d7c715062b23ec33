"""A trial's folder on our side: its log as it arrives, and what came out, whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from pushtrain.durability import bring_to_disk
from pushtrain.entities import Artifact
from pushtrain.errors import JournalError
from pushtrain.trial.protocol import MAX_RESULT, BadOutput

MAX_FILES = 5_000
"""Files that one trial may leave."""
_MAX_PATH = 1_000
_OF_THE_NAMES = (errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG)
_CHUNK = 1024 * 1024


class TrialFolder:
    """`trials/<number>/`: log.txt, and out/ with result.json, model/ and files/.

    A context manager: the log is open inside the block. At its beginning the output of earlier
    attempts goes; their log stays, and this one's follows it.

    Args:
        path: the folder; made if it is not there.
        log_limit: bytes of log that are kept of an attempt.
        attempt: its number, from 1.
    """

    def __init__(self, path: Path, log_limit: int, attempt: int = 1) -> None:
        self.path = path
        self._left = log_limit
        self._attempt = attempt
        self._out = path / "out"

    def __enter__(self) -> TrialFolder:
        self.path.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self._out, ignore_errors=True)
        mode = "wb" if self._attempt == 1 else "ab"
        self._log = (self.path / "log.txt").open(mode, buffering=0)
        if self._attempt > 1:
            self._log.write(b"\n[pushtrain: attempt %d]\n" % self._attempt)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._log.close()

    def add_log(self, text: str) -> None:
        """Appends to the log; what is beyond its limit is dropped, with one line that says so."""
        if self._left <= 0:
            return
        content = text.encode("utf-8", "replace")
        self._log.write(content[: self._left])
        self._left -= len(content)
        if self._left <= 0:
            self._log.write(b"\n[pushtrain: the log's limit is reached, the rest is dropped]\n")

    def take(self, fetched: Iterator[tuple[str, BinaryIO]]) -> tuple[bytes, tuple[Artifact, ...]]:
        """Writes fetched files to out/, which appears only when all of them are there.

        They and the log are on disk when this returns: the journal says next what they are.

        Returns:
            The content of result.json (empty if there is none) and the other files, by path.

        Raises:
            BadOutput: too many files, or a path that is not plain.
            JournalError: the disk on our side is full or not writable.
            SandboxError: what the sandbox refuses to fetch.
        """
        partial = self.path / "out.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700)
        result = b""
        artifacts: list[Artifact] = []
        try:
            for path, stream in fetched:
                if len(artifacts) >= MAX_FILES:
                    raise BadOutput(f"more than {MAX_FILES} files")
                artifact = _write(partial, path, stream)
                if path == "result.json":
                    with (partial / path).open("rb") as file:
                        result = file.read(MAX_RESULT + 1)
                else:
                    artifacts.append(artifact)
            partial.rename(self._out)
            bring_to_disk(self.path)
        except OSError as error:
            if error.errno in _OF_THE_NAMES:
                raise BadOutput(f"file names that cannot stand together: {error}") from None
            raise JournalError(
                f"the trial's output cannot be written to {self._out}: {error}",
                hint="make room in PUSHTRAIN_HOME, or let the script leave less",
            ) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        return result, tuple(sorted(artifacts, key=lambda artifact: artifact.path))


def _write(folder: Path, path: str, stream: BinaryIO) -> Artifact:
    target = folder / _plain(path)
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    digest = hashlib.sha256()
    size = 0
    with target.open("xb") as file:
        while chunk := stream.read(_CHUNK):
            file.write(chunk)
            digest.update(chunk)
            size += len(chunk)
    return Artifact(f"out/{path}", size, f"sha256:{digest.hexdigest()}")


def _plain(path: str) -> str:
    """The path itself, if it can only ever lie below the folder it is written to."""
    parts = path.split("/")
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        raise BadOutput(f"a file name that is not UTF-8: {ascii(path)[:200]}") from None
    if len(path) > _MAX_PATH or not path.isprintable() or {"", ".", ".."} & set(parts):
        raise BadOutput(f"a file with the path {ascii(path)[:200]}")
    return path
