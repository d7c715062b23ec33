"""Where a clone came from."""

from __future__ import annotations

from pushtrain.errors import SourceError
from pushtrain.source.git import OFFLINE, GitError, git
from pushtrain.source.location import locate, public


def origin(repository: str) -> str:
    """The address of a clone's remote "origin", without credentials.

    Raises:
        SourceError: it is no clone of anything.
    """
    where = locate(repository).where
    try:
        found = git("remote", "get-url", "origin", where=(*where, *OFFLINE))
    except GitError:
        raise SourceError(
            f"{repository} has no remote named origin, so nothing tells what was pushed",
            hint="give a clone of the pushed repository, or leave out --pushed",
        ) from None
    return public(found.decode("utf-8", "surrogateescape").strip())
