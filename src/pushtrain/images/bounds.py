"""What a version specifier leaves room for."""

from __future__ import annotations

from packaging.specifiers import Specifier, SpecifierSet
from packaging.version import InvalidVersion, Version


def allows_none_from(specifier: SpecifierSet, lowest: Version) -> bool:
    """Whether a specifier rules out every version from `lowest` up: all it allows is older."""
    return any(_ends_before(one, lowest) for one in specifier)


def _ends_before(one: Specifier, lowest: Version) -> bool:
    """Whether one clause has an upper end, and that lies below `lowest`."""
    text = one.version.removesuffix(".*")
    try:
        version = Version(text)
    except InvalidVersion:  # `===` takes any text
        return False
    if one.operator == "<":
        return version <= lowest
    if one.operator in ("<=", "===") or (one.operator == "==" and not one.version.endswith(".*")):
        return version < lowest
    if one.operator in ("==", "~="):  # a prefix: the next one is out
        release = version.release[:-1] if one.operator == "~=" else version.release
        return Version(".".join(map(str, (*release[:-1], release[-1] + 1)))) <= lowest
    return False
