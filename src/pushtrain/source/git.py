"""Running git on repositories that may be hostile, without prompts and within bounds."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO

from pushtrain.errors import SourceError

LOCAL_SECONDS = 120.0
"""The most that one command on a local repository may take."""

_KEEP = re.compile(
    # What a user or a CI server sets so that git reaches a remote. All the rest (GIT_DIR,
    # GIT_WORK_TREE, GIT_INDEX_FILE, GIT_QUARANTINE_PATH ...) is set inside hooks and would
    # make git work on another repository than the one that was asked for.
    r"GIT_(SSH|SSH_COMMAND|SSH_VARIANT|ASKPASS|SSL_\w+|HTTP_\w+|PROXY_\w+|EXEC_PATH"
    r"|CONFIG_(GLOBAL|SYSTEM|NOSYSTEM|COUNT|KEY_\d+|VALUE_\d+))"
)
_SAFE = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",  # else a program named by the repository's own configuration
    "core.quotePath=false",
    "core.autocrlf=false",
    "safe.directory=*",  # only reading, or writing objects: nothing of the repository is run
    "protocol.ext.allow=never",
    "fetch.recurseSubmodules=false",
    "submodule.recurse=false",
    "gc.auto=0",
    "http.lowSpeedLimit=1",
    "http.lowSpeedTime=60",
)


def git(
    *arguments: str,
    where: Sequence[str] = (),
    data: bytes = b"",
    environment: Mapping[str, str] | None = None,
    seconds: float = LOCAL_SECONDS,
    on_progress: Callable[[str], None] | None = None,
    accept: Sequence[int] = (0,),
) -> bytes:
    """Runs one git command and gives its standard output.

    Args:
        arguments: the command and its arguments; user text must come after `--`.
        where: options that choose the repository: `-C DIR` or `--git-dir DIR`. Without a remote
            to reach, add `*OFFLINE`, so that no lazy fetch of a partial clone starts a program.
        data: standard input.
        environment: variables on top of the cleaned environment.
        seconds: git and all its children are killed after so long.
        on_progress: gets the lines of standard error as they come.
        accept: exit codes that are no failure.

    Raises:
        GitError: git failed; its message is the end of what git said.
        SourceError: git is not installed, or was too slow.
    """
    with spawned(
        arguments, where=where, environment=environment, seconds=seconds, on_progress=on_progress
    ) as child:
        child.feed(data)
        output = child.output.read()
        code = child.wait()
    if code not in accept:
        raise GitError(arguments[0], child.said)
    return output


OFFLINE = ("-c", "protocol.allow=never")
"""Options for commands that need no remote: every transport is refused."""


class GitError(SourceError):
    """A git command failed; callers turn it into what it means where they stand."""

    def __init__(self, command: str, said: Sequence[str]) -> None:
        lines = [line for line in said if not line.startswith(("warning:", "hint:", "remote: "))]
        self.said = "\n".join(said)
        tail = " / ".join(line.strip() for line in (lines or list(said))[-3:])
        super().__init__(f"git {command}: {tail or 'failed without a word'}")


class Child:
    """A running git: what it says on standard error is collected while its output is read."""

    def __init__(
        self, process: subprocess.Popen[bytes], on_progress: Callable[[str], None] | None
    ) -> None:
        assert process.stdout is not None  # both are pipes
        assert process.stderr is not None
        self.output: IO[bytes] = process.stdout
        self.said: list[str] = []
        self._process = process
        self._threads = [_thread(_listen, process.stderr, self.said, on_progress)]

    def feed(self, data: bytes) -> None:
        """Writes all of standard input and closes it, beside the reading."""
        self._threads.append(_thread(_feed, self._process.stdin, data))

    def wait(self) -> int:
        """The exit code, when everything it said has been heard."""
        code = self._process.wait()
        for thread in self._threads:
            thread.join()
        return code


@contextmanager
def spawned(
    arguments: Sequence[str],
    *,
    where: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    seconds: float = LOCAL_SECONDS,
    on_progress: Callable[[str], None] | None = None,
) -> Iterator[Child]:
    """A git process that does not outlive the block; arguments and errors as for `git`."""
    options = [part for setting in _SAFE for part in ("-c", setting)]
    try:
        # A session of its own: without a terminal nobody can be asked for a password, and its
        # helpers (git-remote-https, ssh) die with it.
        process = subprocess.Popen(
            ["git", *options, *where, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=clean_environment() | dict(environment or {}),
            start_new_session=True,
        )
    except FileNotFoundError:
        raise SourceError("git is not installed", hint="install the package git") from None
    is_late = threading.Event()

    def expire() -> None:
        is_late.set()
        _kill(process)

    timer = threading.Timer(seconds, expire)
    timer.daemon = True
    timer.start()
    try:
        yield Child(process, on_progress)
    finally:
        timer.cancel()
        _kill(process)
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                _close(stream)
        if is_late.is_set():  # the reason of whatever else went wrong in the block
            raise SourceError(
                f"git {arguments[0]} took longer than {seconds:g} seconds and was ended",
                hint="try again, or clone the repository by hand and give its path",
            )


def clean_environment() -> dict[str, str]:
    """This process's environment without what would lead git astray, and without prompts."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or _KEEP.fullmatch(name)
    }
    return kept | {
        "LC_ALL": "C",
        "GIT_TERMINAL_PROMPT": "0",
        "GCM_INTERACTIVE": "never",
        "SSH_ASKPASS_REQUIRE": "never",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_LFS_SKIP_SMUDGE": "1",
    }


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return


def _thread(target: Callable[..., None], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=target, args=arguments, daemon=True)
    thread.start()
    return thread


def _listen(stream: IO[bytes], said: list[str], on_progress: Callable[[str], None] | None) -> None:
    buffer = b""
    while chunk := os.read(stream.fileno(), 65536):
        *lines, buffer = re.split(rb"[\r\n]+", buffer + chunk)
        for line in filter(None, lines):
            text = line.decode("utf-8", "replace")
            said.append(text)
            del said[:-200]
            if on_progress:
                on_progress(text)
    if buffer:
        said.append(buffer.decode("utf-8", "replace"))


def _feed(stream: IO[bytes], data: bytes) -> None:
    try:
        stream.write(data)
    except (BrokenPipeError, ValueError):  # it ended without reading all of it
        return
    finally:
        _close(stream)


def _close(stream: IO[bytes]) -> None:
    try:
        stream.close()
    except BrokenPipeError:
        return
