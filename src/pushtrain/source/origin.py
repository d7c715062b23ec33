"""What was pushed, told from the clone that a build server made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pushtrain.entities import Push
from pushtrain.errors import SourceError
from pushtrain.source.git import OFFLINE, GitError, git
from pushtrain.source.location import locate, public

_REMOTE = "refs/remotes/origin/"


def pushed(push: Push, clone: str) -> Push:
    """A clone's commit as a push to its remote "origin".

    Args:
        push: the commit that is checked out in the clone.
        clone: its path. Its HEAD may be detached; the branch is then the one of origin's that
            ends there, where only one does.

    Raises:
        SourceError: it is no clone of anything.
    """
    where = (*locate(clone).where, *OFFLINE)
    try:
        found = git("remote", "get-url", "origin", where=where)
    except GitError:
        raise SourceError(
            f"{clone} has no remote named origin, so nothing tells what was pushed",
            hint="give a clone of the pushed repository, or leave out --pushed",
        ) from None
    return replace(
        push,
        repository=public(found.decode("utf-8", "surrogateescape").strip()),
        branch=push.branch or _branch(push.commit, where),
        is_own_directory=False,
    )


def _branch(commit: str, where: Sequence[str]) -> str | None:
    """The branch of origin's that ends at a commit; None if there are several, or none."""
    form = ("--format=%(refname)", f"--points-at={commit}")
    listed = git("for-each-ref", *form, _REMOTE, where=where).decode("utf-8", "surrogateescape")
    names = {line.removeprefix(_REMOTE) for line in listed.splitlines()} - {"HEAD"}
    return names.pop() if len(names) == 1 else None
