"""Addresses of repositories and services, as they may be shown: without what opens them."""

from __future__ import annotations

import re

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<rest>[^\s'\"<>`]*)")
_NAMED = {"ssh", "git+ssh", "ssh+git"}
"""Schemes whose user name says which account is meant and opens nothing by itself."""


def without_credentials(text: str) -> str:
    """`text` with user names, passwords, queries and fragments gone from every URL in it.

    Takes a bare address as well as prose that quotes some (what Git says, an error message).
    `git@host:path` and `ssh://git@host/` keep their account, which is no secret, but not a
    password; a path on disk stays as it is.
    """
    return _URL.sub(_bare, text)


def _bare(match: re.Match[str]) -> str:
    scheme, rest = match["scheme"], match["rest"]
    if scheme.lower() == "file":
        return match[0]
    rest = re.split(r"[?#]", rest, maxsplit=1)[0]
    authority, slash, path = rest.partition("/")
    host, colon, port = authority.partition(":")
    if "@" not in authority and "@" in path and colon and not port.isdigit():
        # A password with a bare slash: everything up to the last @ belongs to it.
        authority, slash, path = rest.rpartition("@")[2].partition("/")
        return f"{scheme}://{authority}{slash}{path}"
    account, at, host = authority.rpartition("@")
    if at and scheme.lower() in _NAMED:
        host = f"{account.partition(':')[0]}@{host}"
    return f"{scheme}://{host}{slash}{path}"
