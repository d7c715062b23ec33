"""Where a repository is: what the user wrote, taken apart."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from pushtrain.errors import SourceError

_SCHEMES = frozenset({"https", "http", "ssh", "git", "git+ssh", "ssh+git"})
_SCP = re.compile(r"(?P<user>[^@/:\s]+@)?(?P<host>[^:/@\s]+|\[[^\]]+\]):(?P<path>[^:].*)")
_FORMS = "give a directory, a Git repository's path, or an https, ssh or git URL"


class Kind(StrEnum):
    """What stands at a location."""

    REMOTE = "remote"
    """A repository behind a URL."""
    BARE = "bare"
    """A bare repository in the file system."""
    WORK_TREE = "work tree"
    """The top of a checked-out repository."""
    DIRECTORY = "directory"
    """A directory that is no repository (it may lie inside one)."""


@dataclass(frozen=True, slots=True)
class Location:
    """A repository's or directory's place.

    Attributes:
        given: a URL as given, with its credentials, or an absolute path.
        public: the same without credentials; the only form that may be shown or kept.
        kind: what stands there.
        is_path: it was given as a path, not as a URL: uncommitted files count.
        is_own: a path that belongs to the user who runs us, and is no bare repository.
    """

    given: str
    public: str
    kind: Kind
    is_path: bool = False
    is_own: bool = False

    @property
    def where(self) -> tuple[str, str]:
        """git's options that choose this repository (local ones only)."""
        return ("--git-dir" if self.kind is Kind.BARE else "-C", self.given)


def locate(repository: str) -> Location:
    """Takes apart what the user gave as a repository.

    Raises:
        SourceError: nothing is there, or it is nothing that can be trained from.
    """
    if not repository.strip() or repository.startswith("-") or not repository.isprintable():
        raise SourceError(f"{repository!r} is no repository", hint=_FORMS)
    scheme, separator, rest = repository.partition("://")
    if separator and scheme.lower() == "file":
        return _local(Path(unquote("/" + rest.partition("/")[2])), repository, is_path=False)
    if separator and scheme.lower() in _SCHEMES:
        if not urlsplit(repository).hostname or urlsplit(repository).hostname[0] == "-":  # type: ignore[index]
            raise SourceError(f"{public(repository)} names no host", hint=_FORMS)
        return Location(repository, public(repository), Kind.REMOTE)
    path = Path(repository).expanduser()
    if os.path.lexists(path):
        return _local(path, repository, is_path=True)
    if "::" in repository or separator:
        raise SourceError(f"{public(repository)}: unknown kind of URL", hint=_FORMS)
    scp = _SCP.fullmatch(repository)
    if scp and not scp["host"].startswith("-"):
        return Location(repository, repository, Kind.REMOTE)
    raise SourceError(f"{repository} does not exist", hint=_FORMS, repository=repository)


def public(repository: str) -> str:
    """A repository without credentials: passwords go, and so do user names of http(s) URLs
    (they are often the token itself); the user of an ssh URL stays, since it is part of it."""
    try:
        parts = urlsplit(repository)
        if not parts.netloc or "@" not in parts.netloc:
            return repository
        user, _, host = parts.netloc.rpartition("@")
        keep = f"{user.partition(':')[0]}@" if "ssh" in parts.scheme else ""
        return urlunsplit(parts._replace(netloc=keep + host))
    except ValueError:
        return re.sub(r"//[^/@]*@", "//", repository)


def identity(repository: str) -> str:
    """What stays the same however a repository is written: the key of what its runs learnt.

    `git@host:team/x.git`, `ssh://git@host/team/x` and `https://host/team/x/` are one repository;
    a path is its real path.
    """
    scheme, separator, _ = repository.partition("://")
    scp = None if separator or os.path.lexists(repository) else _SCP.fullmatch(repository)
    if scp:
        host, path = scp["host"], scp["path"]
    elif separator and scheme != "file":
        parts = urlsplit(public(repository))
        port = f":{parts.port}" if parts.port else ""
        host, path = (parts.hostname or "") + port, parts.path
    else:
        local = Path(repository.removeprefix("file://")).expanduser().resolve()
        return str(local.parent if local.name == ".git" else local)
    return f"{host.lower()}/{path.strip('/').removesuffix('.git')}"


def _local(path: Path, given: str, *, is_path: bool) -> Location:
    try:
        path = path.resolve(strict=True)
        if path.is_file():
            raise SourceError(f"{path} is a file", hint=f"give its directory: {path.parent}")
        if not path.is_dir():
            raise SourceError(f"{path} is no directory", hint=_FORMS)
        if path.name == ".git" and _is_repository(path):
            path = path.parent
        is_own = is_path and path.stat().st_uid in _own_ids()
        kind = Kind.DIRECTORY
        if os.path.lexists(path / ".git"):
            kind = Kind.WORK_TREE
        elif _is_repository(path):
            kind, is_own = Kind.BARE, False
        next(path.iterdir(), None)  # raises where it may not be listed
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or "a loop of symbolic links"
        raise SourceError(
            f"{given} cannot be read: {reason}", hint="check the path and its permissions"
        ) from None
    return Location(str(path), str(path), kind, is_path, is_own)


def _is_repository(path: Path) -> bool:
    return (path / "HEAD").is_file() and (path / "objects").is_dir() and (path / "refs").is_dir()


def _own_ids() -> set[int]:
    sudo = os.environ.get("SUDO_UID", "") if os.geteuid() == 0 else ""
    return {os.geteuid()} | ({int(sudo)} if sudo.isdecimal() else set())
