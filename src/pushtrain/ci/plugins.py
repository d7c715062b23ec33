"""The plugins that our jobs use: jenkins/plugins.txt, read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pushtrain.errors import SettingsError

_PLACES = (
    Path(__file__).parents[1] / "_jenkins" / "plugins.txt",  # in an installed package
    Path(__file__).parents[3] / "jenkins" / "plugins.txt",  # in a checkout
)
_OPTIONAL = "# --- optional"
_DEPENDENCIES = "# --- dependencies"


@dataclass(frozen=True, slots=True)
class Pinned:
    """A plugin that is used: the version it was tried with, what for, and whether by every job."""

    name: str
    version: str
    purpose: str
    is_optional: bool


@cache
def needed() -> tuple[Pinned, ...]:
    """What jobs use themselves; what those plugins need in turn comes with them.

    Raises:
        SettingsError: the file is missing from this installation.
    """
    path = next((one for one in _PLACES if one.exists()), None)
    if path is None:
        raise SettingsError("jenkins/plugins.txt is missing", hint="install pushtrain again")
    found, is_optional = [], False
    for line in path.read_text("utf-8").splitlines():
        if line.startswith(_DEPENDENCIES):
            break
        is_optional = is_optional or line.startswith(_OPTIONAL)
        pin, _, purpose = line.partition("#")
        name, _, version = pin.strip().partition(":")
        if name:
            found.append(Pinned(name, version, purpose.strip(), is_optional))
    return tuple(found)
