"""Pushes that wait for a Jenkins server: a small file per job and branch, so that the newest wins.

scripts/post-receive writes a file per push, `flush` delivers it. Below the spool's directory:

    <lane>            job, repository, branch and commit, a line each
    delivered/<lane>  the commit that was delivered last
    unsure/<lane>     a commit that was sent and perhaps arrived
    .lock             held to write one of these
    .lease/           of the one process that delivers

A lane is the hash of job, repository and branch.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pushtrain.errors import SettingsError
from pushtrain.lease import take

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WaitingPush:
    """A push that is to start a build.

    Attributes:
        job: full name of the job.
        repository: the repository, spelled as in the job.
        branch: the pushed branch.
        commit: full commit id.
    """

    job: str
    repository: str
    branch: str
    commit: str

    @property
    def lane(self) -> str:
        """The name of its file: what a newer push takes the place of."""
        facts = f"{self.job}\0{self.repository}\0{self.branch}"
        return hashlib.sha256(facts.encode()).hexdigest()[:32]


class Spool:
    """The pushes that wait. Safe for several processes.

    Args:
        directory: where they are kept; made when it is first written to.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def add(self, push: WaitingPush) -> None:
        """Keeps a push; an older one of its lane is forgotten."""
        with self._lock():
            self._write(Path(push.lane), push.job, push.repository, push.branch, push.commit)

    def waiting(self) -> tuple[WaitingPush, ...]:
        """What is to be delivered, the longest waiting first."""
        try:
            files = [path for path in self._directory.iterdir() if _is_lane(path)]
        except FileNotFoundError:
            return ()
        found = []
        for path in files:
            try:
                found.append((path.stat().st_mtime_ns, path.read_text("utf-8").splitlines()))
            except FileNotFoundError:
                continue  # delivered by another process
            except UnicodeDecodeError:
                self._set_aside(path)
        return tuple(WaitingPush(*lines[:4]) for _, lines in sorted(found) if len(lines) >= 4)

    def settle(self, push: WaitingPush) -> None:
        """Takes note that a push is delivered; a newer one of its lane goes on waiting."""
        with self._lock():
            self._write(Path("delivered") / push.lane, push.commit)
            if self._read(Path(push.lane))[3:4] == [push.commit]:
                (self._directory / push.lane).unlink(missing_ok=True)
            (self._directory / "unsure" / push.lane).unlink(missing_ok=True)

    def is_delivered(self, push: WaitingPush) -> bool:
        """Whether this commit is what was delivered last of its lane."""
        return self._read(Path("delivered") / push.lane) == [push.commit]

    def is_unsure(self, push: WaitingPush) -> bool:
        """Whether this commit was sent once, and perhaps arrived."""
        return self._read(Path("unsure") / push.lane) == [push.commit]

    def begin(self, push: WaitingPush) -> None:
        """Takes note, before a push is sent, that it may arrive."""
        with self._lock():
            self._write(Path("unsure") / push.lane, push.commit)

    def take_back(self, push: WaitingPush) -> None:
        """Takes note that a push did not arrive for certain."""
        with self._lock():
            (self._directory / "unsure" / push.lane).unlink(missing_ok=True)

    @contextmanager
    def flushing(self) -> Iterator[bool]:
        """Takes the right to deliver for the length of the block; False if another has it."""
        self._make()
        lease = take(self._directory / ".lease", "the pushes that wait")
        if lease is None:
            yield False
            return
        with lease:
            lease.forget()
            yield True

    @contextmanager
    def _lock(self) -> Iterator[None]:
        self._make()
        with (self._directory / ".lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _make(self) -> None:
        try:
            for name in ("delivered", "unsure"):
                (self._directory / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(
                f"{self._directory} cannot be made: {error}",
                hint="point PUSHTRAIN_HOME to a directory that you can write",
            ) from None

    def _write(self, name: Path, *lines: str) -> None:
        path = self._directory / name
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.write_text("".join(f"{line}\n" for line in lines), "utf-8")
        draft.replace(path)

    def _set_aside(self, path: Path) -> None:
        """A branch that is no text is none of a job's, and must not keep others waiting."""
        aside = path.with_name(f".{path.name}.unreadable")
        _log.warning("a push that no job can be asked for lies in %s", aside)
        path.replace(aside)

    def _read(self, name: Path) -> list[str]:
        try:
            return (self._directory / name).read_text("utf-8").splitlines()
        except FileNotFoundError:
            return []


def _is_lane(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".")
