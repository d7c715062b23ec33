"""The winning patch as a branch of the repository, on request."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pushtrain.errors import SourceError
from pushtrain.source.git import OFFLINE, GitError, git
from pushtrain.source.location import Kind, Location, locate
from pushtrain.source.mirror import explained, mirror

PREFIX = "pushtrain/tuned/"
_SECONDS = 300.0
_NOBODY = ("pushtrain", "pushtrain@localhost")


def commit_patch(repository: str, commit: str, patch: bytes, message: str, *, cache: Path) -> str:
    """Commits a patch on top of the pushed commit, as the branch `pushtrain/tuned/<commit>`.

    Work tree, index and hooks are left alone. The same patch gives the same commit; a tuned
    branch of an earlier run of the same push is replaced, one that people built on is not.

    Args:
        repository: as it was given to the run; the branch of a URL is pushed to it.
        commit: full id of the pushed commit.
        patch: a patch of `git diff` against that commit.
        message: the commit's message.
        cache: where clones of URLs are kept.

    Returns:
        The branch's name.

    Raises:
        SourceError: the push was no commit, the patch does not apply, or the branch cannot be
            written.
    """
    location = locate(repository)
    if commit.startswith("sha256:") or location.kind is Kind.DIRECTORY:
        raise SourceError(
            f"{location.public} was trained as plain files, so there is no commit to build on",
            hint="apply the patch there: pushtrain patch RUN | git apply",
        )
    branch = f"{PREFIX}{commit}"
    with _opened(location, commit, cache) as where:
        try:
            tuned = _commit(where, commit, patch, message)
        except GitError as error:
            raise SourceError(
                f"the patch cannot be committed on {commit[:12]}: {error.message}",
                hint="is that commit still in the repository?",
            ) from None
        if location.kind is Kind.REMOTE:
            _push(location, where, branch, commit, tuned)
        else:
            _update(location, where, branch, commit, tuned)
    return branch


@contextmanager
def _opened(location: Location, commit: str, cache: Path) -> Iterator[tuple[str, ...]]:
    if location.kind is not Kind.REMOTE:
        yield (*OFFLINE, *location.where)
        return
    with mirror(location, commit, cache, seconds=_SECONDS) as where:
        yield where


def _commit(where: tuple[str, ...], parent: str, patch: bytes, message: str) -> str:
    """Writes the objects; nothing refers to them yet."""
    with tempfile.TemporaryDirectory(prefix="pushtrain-") as scratch:
        index = {"GIT_INDEX_FILE": str(Path(scratch, "index"))}
        git("read-tree", parent, where=where, environment=index)
        apply = ("apply", "--cached", "--whitespace=nowarn", "-")
        git(*apply, where=where, environment=index, data=patch)
        tree = git("write-tree", where=where, environment=index).decode().strip()
    date = git("show", "--no-patch", "--format=%cI", parent, where=where).decode().strip()
    name, email = _identity(where)
    who = {
        f"GIT_{role}_{what}": value
        for role in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", name), ("EMAIL", email), ("DATE", date))
    }
    options = ("commit-tree", tree, "-p", parent)
    made = git(*options, where=where, environment=who, data=message.encode())
    return made.decode().strip()


def _identity(where: tuple[str, ...]) -> tuple[str, str]:
    def setting(key: str) -> str:
        value = git("config", "--get", key, where=where, accept=(0, 1, 2))
        return value.decode("utf-8", "replace").strip()

    name, email = setting("user.name"), setting("user.email")
    return (name, email) if name and email else _NOBODY


def _update(
    location: Location, where: tuple[str, ...], branch: str, parent: str, tuned: str
) -> None:
    reference = f"refs/heads/{branch}"
    old = git("rev-parse", "--verify", "--quiet", reference, where=where, accept=(0, 1))
    before = old.decode().strip()
    if before == tuned:
        return
    head = git("symbolic-ref", "--quiet", "HEAD", where=where, accept=(0, 1)).decode().strip()
    if head == reference and location.kind is Kind.WORK_TREE:
        raise SourceError(f"{branch} is checked out", hint="check out another branch first")
    _refuse_foreign(where, branch, parent, before)
    try:
        git("update-ref", reference, tuned, before or "0" * len(tuned), where=where)
    except GitError as error:
        raise SourceError(
            f"{branch} cannot be written: {error.message}",
            hint="check the permissions of the repository",
        ) from None


def _push(location: Location, where: tuple[str, ...], branch: str, parent: str, tuned: str) -> None:
    reference = f"refs/heads/{branch}"
    try:
        listing = git("ls-remote", "--", location.given, reference, where=where, seconds=_SECONDS)
        before = listing.decode().partition("\t")[0].strip()
        if before == tuned:
            return
        if before:
            git("fetch", "--quiet", "--", location.given, reference, where=where, seconds=_SECONDS)
        _refuse_foreign(where, branch, parent, before)
        lease = f"--force-with-lease={reference}:{before}"
        refspec = f"{tuned}:{reference}"
        git("push", "--quiet", lease, "--", location.given, refspec, where=where, seconds=_SECONDS)
    except GitError as error:
        raise explained(error, location) from None


def _refuse_foreign(where: tuple[str, ...], branch: str, parent: str, before: str) -> None:
    """Refuses to replace a branch that is more than one commit on top of the push."""
    if not before:
        return
    parents = git("show", "--no-patch", "--format=%P", before, where=where).decode().split()
    if parents != [parent]:
        raise SourceError(
            f"{branch} holds other commits", hint="rename or delete that branch first"
        )
