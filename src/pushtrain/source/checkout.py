"""From a push to its source: the tree of a commit, or of a directory, in a directory of ours."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pushtrain.entities import Push, Source
from pushtrain.errors import SourceError
from pushtrain.source.data import fingerprint
from pushtrain.source.directory import copy, is_dirty
from pushtrain.source.export import export
from pushtrain.source.git import OFFLINE, GitError, git
from pushtrain.source.location import Kind, Location, locate
from pushtrain.source.mirror import mirror
from pushtrain.source.tree import Cap, TreeWriter, new_directory

FETCH_SECONDS = 900.0


def checkout(
    repository: str,
    revision: str | None,
    into: Path,
    *,
    cache: Path,
    branch: str | None = None,
    cap: Cap | None = None,
    seconds: float = FETCH_SECONDS,
    progress: Callable[[str], None] | None = None,
) -> Source:
    """Puts the tree of a push into a new directory.

    A work tree without a revision gives its commit when it is clean, and its files as they are
    (identified by their content) when anything is uncommitted: what is trained is what is seen.
    A directory inside a work tree is a plain directory.

    Args:
        repository: any Git URL, a repository's path (bare or not), or a plain directory.
        revision: branch, tag or commit id; None for what is checked out, or the default branch.
        into: the new directory; on an error it is gone again.
        cache: where clones of URLs are kept.
        branch: the branch that the push arrived on, where the caller knows it.
        cap: the largest tree that is taken.
        seconds: the most that a fetch may take.
        progress: hears a slow clone's progress, line by line.

    Raises:
        SourceError: nothing can be read there; the message says which of the many reasons.
    """
    warnings: list[str] = []
    location = locate(repository)
    _check_revision(location, revision)
    with new_directory(into):
        writer = TreeWriter(into, cap or Cap(), warnings.append)
        if _is_plain(location, revision, warnings.append):
            copy(Path(location.given), writer, warnings.append)
            commit, found = writer.finish(), _branch(location)
            if not any(into.iterdir()):
                raise SourceError(
                    f"{location.public} holds no files", hint="give the directory of your script"
                )
        else:
            with _opened(location, revision, cache, seconds, progress) as where:
                commit, found = _resolve(location, where, revision)
                export(where, commit, writer, warnings.append)
            writer.finish()
        push = Push(location.public, commit, branch or found, location.is_own)
        return Source(push, into, fingerprint(into), tuple(warnings))


@contextmanager
def _opened(
    location: Location,
    revision: str | None,
    cache: Path,
    seconds: float,
    on_progress: Callable[[str], None] | None,
) -> Iterator[tuple[str, str]]:
    if location.kind is not Kind.REMOTE:
        yield location.where
        return
    with mirror(location, revision, cache, seconds=seconds, on_progress=on_progress) as where:
        yield where


def _check_revision(location: Location, revision: str | None) -> None:
    if revision is None:
        return
    if location.kind is Kind.DIRECTORY:
        raise SourceError(
            f"{location.public} is no Git repository, so it has no revision {revision}",
            hint="leave --rev out, or give the repository",
        )
    if not revision or revision.startswith("-") or not revision.isprintable() or " " in revision:
        raise SourceError(
            f"{revision!r} is no revision", hint="give a branch, a tag or a commit id"
        )


def _is_plain(location: Location, revision: str | None, warn: Callable[[str], None]) -> bool:
    """Whether the files themselves are trained, and not a commit."""
    if location.kind is Kind.DIRECTORY:
        return True
    if location.kind is not Kind.WORK_TREE or not location.is_path or revision is not None:
        return False
    try:
        if not location.is_own:
            # `git status` runs the filters of the repository's configuration: its owner would
            # run programs as us.
            warn(f"{location.public} belongs to another user: uncommitted changes do not count")
            return False
        if not is_dirty(location.where):
            return False
    except GitError as error:
        raise _damaged(location, error) from None
    warn(f"{location.public} has uncommitted changes: its files are trained as they are")
    return True


def _resolve(
    location: Location, where: tuple[str, str], revision: str | None
) -> tuple[str, str | None]:
    """The commit id, and the branch where the revision names one."""
    options = (*OFFLINE, *where)
    name = revision or "HEAD"
    try:
        found = git("rev-parse", "--verify", f"{name}^{{commit}}", where=options)
    except GitError as error:
        raise _missing(location, options, revision, error) from None
    reference = git("rev-parse", "--symbolic-full-name", name, where=options, accept=(0, 128))
    full, prefix = reference.decode("utf-8", "replace").strip(), "refs/heads/"
    return found.decode().strip(), full.removeprefix(prefix) if full.startswith(prefix) else None


def _missing(
    location: Location, options: tuple[str, ...], revision: str | None, error: GitError
) -> SourceError:
    if "not a git repository" in error.said:
        return _damaged(location, error)
    listing = git(
        "for-each-ref", "--format=%(refname:short)", "--count=12", "refs/heads", where=options
    )
    branches = listing.decode("utf-8", "replace").split()
    if revision is None and not branches:
        return SourceError(f"{location.public} has no commits yet", hint="commit and push first")
    if revision is None:
        return SourceError(
            f"{location.public}: its HEAD names a branch that does not exist",
            hint=f"choose one with --rev: {', '.join(branches)}",
        )
    if "ambiguous" in error.said:
        return SourceError(
            f"{location.public}: {revision} fits several objects",
            hint="give more digits of the commit id",
        )
    is_shallow = git("rev-parse", "--is-shallow-repository", where=options).strip() == b"true"
    hint = f"it has the branches {', '.join(branches)}" if branches else "it has no commits yet"
    hint += "; it is a shallow clone: `git fetch --unshallow` brings the rest" * is_shallow
    return SourceError(
        f"{location.public} has no revision {revision}", hint=hint, branches=branches
    )


def _branch(location: Location) -> str | None:
    if location.kind is not Kind.WORK_TREE:
        return None
    options = (*OFFLINE, *location.where)
    name = git("symbolic-ref", "--short", "--quiet", "HEAD", where=options, accept=(0, 1))
    return os.fsdecode(name).strip() or None


def _damaged(location: Location, error: GitError) -> SourceError:
    return SourceError(
        f"{location.public} cannot be read as a Git repository: {error.message}",
        hint="run `git fsck` there, or give a directory without .git",
    )
