"""Bare clones of remote repositories, kept under PUSHTRAIN_HOME/repositories."""

from __future__ import annotations

import fcntl
import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pushtrain.errors import SourceError
from pushtrain.source.git import OFFLINE, GitError, git
from pushtrain.source.location import Location, identity, public

_FULL_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_MEANINGS = (
    # What git (and curl, ssh, and the servers) say -> what it means, and the next step.
    (
        r"could not read Username|Authentication failed|terminal prompts disabled"
        r"|returned error: 40[13]|Permission denied \(|access denied|invalid credentials"
        r"|Host key verification failed",
        "access is denied",
        "give git what it needs beforehand: a credential helper, a deploy key, or known_hosts",
    ),
    (
        r"not found|does not exist|does not appear to be a git repository|returned error: 404"
        r"|no such repository",
        "no such repository",
        "check its spelling; a private repository looks like this to strangers",
    ),
    (
        r"Could not resolve|Connection refused|timed out|Network is unreachable|No route to host"
        r"|Failed to connect|Couldn't connect|unable to connect|Connection reset"
        r"|Operation too slow|remote end hung up|unable to access|SSL|certificate",
        "its host cannot be reached",
        "check the address, the network, and http.proxy and http.sslCAInfo of git",
    ),
    (r"No space left|disk quota", "the disk is full", "make room: pushtrain clean"),
)


@contextmanager
def mirror(
    location: Location,
    revision: str | None,
    cache: Path,
    *,
    seconds: float,
    on_progress: Callable[[str], None] | None = None,
) -> Iterator[tuple[str, str]]:
    """An up-to-date bare clone, locked against other processes for the length of the block.

    Nothing is fetched for a full commit id that is there already.

    Args:
        location: a remote one.
        revision: what is wanted, or None for the remote's default branch.
        cache: the directory of all clones.
        seconds: the most that one fetch may take.
        on_progress: hears git's own progress lines.

    Yields:
        git's options that choose the clone.

    Raises:
        SourceError: no such repository, no access, no connection, too slow, or the disk is full.
    """
    key = identity(location.given)
    name = re.sub(r"[^\w.-]+", "-", key.rsplit("/", 1)[-1])[:40]
    directory = cache / f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:12]}.git"
    where = ("--git-dir", str(directory))
    with _locked(directory.with_suffix(".lock")):
        if not (directory / "HEAD").is_file():
            git("init", "--quiet", "--bare", "--", str(directory))
        wanted = revision or ""
        is_id = _FULL_ID.fullmatch(wanted) is not None
        if not (is_id and _has(where, wanted)):
            _fetch(location, where, seconds, on_progress)
        if is_id and not _has(where, wanted):
            # A commit that no branch leads to: hosts give it when asked by its id.
            with suppress(GitError):  # the caller finds it missing
                git("fetch", "--quiet", "--", location.given, wanted, where=where, seconds=seconds)
        yield where


def explained(error: GitError, location: Location) -> SourceError:
    """What a failure to reach a remote means, without its credentials."""
    for pattern, meaning, hint in _MEANINGS:
        if re.search(pattern, error.said, re.IGNORECASE):
            return SourceError(
                f"{location.public}: {meaning}", hint=hint, repository=location.public
            )
    said = error.message.replace(location.given, location.public)
    said = re.sub(r"\S+://\S+@\S+", lambda match: public(match[0]), said)
    return SourceError(
        f"{location.public}: {said}",
        hint="try `git ls-remote` with it by hand",
        repository=location.public,
    )


def _fetch(
    location: Location,
    where: tuple[str, str],
    seconds: float,
    on_progress: Callable[[str], None] | None,
) -> None:
    refspecs = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
    options = ("--prune", "--force", "--no-tags", "--no-write-fetch-head", "--progress")
    try:
        git(
            "fetch",
            *options,
            "--",
            location.given,
            *refspecs,
            where=where,
            seconds=seconds,
            on_progress=on_progress,
        )
        heads = git("ls-remote", "--symref", "--", location.given, "HEAD", seconds=seconds)
    except GitError as error:
        raise explained(error, location) from None
    default = re.match(rb"ref: (refs/heads/\S+)\tHEAD", heads)
    if default:
        git("symbolic-ref", "HEAD", default[1].decode(), where=where)


def _has(where: tuple[str, str], commit: str) -> bool:
    options = (*OFFLINE, *where)
    kind = git("cat-file", "-t", commit, where=options, accept=(0, 128))
    return kind.strip() == b"commit"


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as error:
        raise SourceError(
            f"the clones' directory {path.parent} cannot be written: {error.strerror}",
            hint="check that PUSHTRAIN_HOME belongs to you",
        ) from None
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
