"""One hardened container on a Docker Engine, as a live handle."""

from __future__ import annotations

import io
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from pathlib import PurePosixPath
from typing import BinaryIO

from docker import APIClient

from pushtrain.engine.connection import Connection
from pushtrain.engine.hardening import WORK, most_printed
from pushtrain.engine.incoming import unpack
from pushtrain.engine.inspection import has_ended, inspect, state_of
from pushtrain.engine.outgoing import pack
from pushtrain.engine.printed import Lines, Readable, cost, frames
from pushtrain.errors import EngineUnreachable, SandboxError
from pushtrain.interfaces import OutgoingFile, SandboxState

_MOST_LINE = 1024**2
_SILENCE = 60.0
"""Seconds without a line after which `follow` looks whether its connection is still alive."""
_PATIENCE = 60.0
"""Seconds for which `follow` waits for an engine that went away, such as for its restart."""
_PAUSE = 0.2
_CHUNK = 256 * 1024
_NO_LONGER = (404, 409)
"""What an engine answers for a container that is gone, or has ended and goes."""
_LAST_WORDS = 20
"""Lines of standard error that tell why a container ended badly."""


class DockerSandbox:
    """A container by its full id; see `pushtrain.interfaces.Sandbox`."""

    def __init__(self, connection: Connection, container: str) -> None:
        self.id = container
        self.engine_was_away = False
        self._connection = connection

    def put(self, directory: str, files: Iterable[OutgoingFile]) -> None:
        """Writes files below `directory`, in the order given."""
        where = PurePosixPath(directory)
        if not where.is_relative_to(WORK) or ".." in where.parts:
            raise SandboxError(
                f"{directory} in container {self._short} cannot be written",
                hint=f"put files below {WORK}, all else is read-only",
            )
        # The archive begins at the volume, the one place where the engine lets it be unpacked.
        archive = pack(str(where.relative_to(WORK)), files)
        with self._calling("cannot be given files") as client:
            client.put_archive(self.id, WORK, archive)

    def start(self) -> None:
        """Starts the container."""
        with self._calling("cannot be started") as client:
            client.start(self.id)

    def follow(self) -> Iterator[bytes]:
        """The lines that the worker prints, from the very first, without their newline."""
        lines = Lines(_MOST_LINE)
        inspected = inspect(self._connection, self.id)
        most = most_printed(inspected) if inspected else 0
        read = needed = 0
        has_ended = False
        while True:
            with suppress(EngineUnreachable):  # perhaps this stream only: the state tells
                for piece in self._pieces(skip=read, follow=not has_ended):
                    read += len(piece)
                    needed += cost(piece)
                    yield from lines.feed(piece)
                    if needed > most:
                        raise self._flood(most)
                if has_ended:
                    break
            # Engines before 23 end a stream at the container's end, read or not: so what is left
            # is read once more after it.
            has_ended = self._has_ended()
            if not has_ended:
                time.sleep(_PAUSE)  # not started yet, or its engine has just come back
        yield from lines.rest()

    def fetch(self, path: str, *, most: int) -> Iterator[tuple[str, BinaryIO]]:
        """The regular files below `path`, each as (POSIX path relative to it, stream)."""
        what = f"{path} of container {self._short} cannot be read"
        where = f"/containers/{self.id}/archive"
        with self._connection.streaming(where, what, parameters={"path": path}) as answer:
            archive = io.BufferedReader(_Body(self._connection, what, answer.raw), _CHUNK)
            yield from unpack(archive, PurePosixPath(path).name, most=most)

    def signal(self, name: str) -> None:
        """Sends a signal to the worker; no error if it has ended."""
        try:
            with self._calling("cannot be signalled") as client:
                client.kill(self.id, name)
        except SandboxError as error:
            if error.facts.get("status") not in _NO_LONGER:
                raise

    def state(self) -> SandboxState | None:
        """What the engine knows of it now; None when it no longer exists."""
        inspected = inspect(self._connection, self.id)
        if inspected is None:
            return None
        state = state_of(inspected)
        if state.is_running or state.exit_code in (None, 0) or state.error:
            return state
        return replace(state, error=self._last_words())

    @property
    def _short(self) -> str:
        return self.id[:12]

    def _calling(self, what: str) -> AbstractContextManager[APIClient]:
        return self._connection.calling(f"container {self._short} {what}")

    def _pieces(self, skip: int, *, follow: bool) -> Iterator[bytes]:
        """What the container printed after its first `skip` bytes, and prints if `follow`.

        Nothing marks a place in a log for certain: several pieces may have one time, and clocks
        are set. So after a dropped connection the log is read again from its start.
        """
        what = f"the output of container {self._short} cannot be read"
        where = f"/containers/{self.id}/logs"
        try:
            with self._connection.streaming(
                where, what, parameters={"follow": int(follow), "stdout": 1}, silence=_SILENCE
            ) as answer:
                for piece in frames(answer.raw):
                    new = piece[skip:] if skip else piece
                    skip -= len(piece) - len(new)
                    if new:
                        yield new
        except SandboxError as error:
            if error.facts.get("status") not in _NO_LONGER:
                raise

    def _has_ended(self) -> bool:
        patient_until = time.monotonic() + _PATIENCE
        while True:
            try:
                inspected = inspect(self._connection, self.id)
            except EngineUnreachable:
                self.engine_was_away = True
                if time.monotonic() > patient_until:
                    raise
                time.sleep(_PAUSE)
            else:
                return inspected is None or has_ended(inspected)

    def _last_words(self) -> str:
        with suppress(SandboxError), self._calling("cannot be read") as client:
            text = client.logs(self.id, stdout=False, stderr=True, tail=_LAST_WORDS)
            return text[-8192:].decode("utf-8", "replace").strip()
        return ""

    def _flood(self, most: int) -> SandboxError:
        return SandboxError(
            f"container {self._short} printed more than {most // 1024**2} MiB",
            hint="let the script print less, or use more containers for so many trials",
            container=self.id,
        )


class _Body(io.RawIOBase):
    """The body of an answer, whose errors are ours wherever it is read."""

    def __init__(self, connection: Connection, what: str, body: Readable) -> None:
        self._connection, self._what, self._body = connection, what, body

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        with self._connection.calling(self._what):
            data = self._body.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
