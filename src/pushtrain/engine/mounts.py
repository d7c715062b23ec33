"""Which directories of the engine's host may never be mounted, whoever asks."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

from pushtrain.errors import SettingsError
from pushtrain.interfaces import EngineFacts, Mount

_HOST = (
    "/boot",
    "/dev",
    "/etc",
    "/proc",
    "/root",
    "/run",
    "/sys",
    "/var/lib/containerd",
    "/var/lib/docker",
    "/var/run",
)
"""Of the host: its settings and secrets, its processes, its engine, and that engine's socket."""

_CONTAINER = ("/dev", "/proc", "/pushtrain", "/sys", "/tmp")  # noqa: S108  names, not files
"""Of the container: what the sandbox itself is made of."""


def check_mounts(mounts: Iterable[Mount], engine: EngineFacts) -> None:
    """Refuses mounts that would open the sandbox.

    Which directories a repository may ask for is decided before (`[allow]`); this is the wall
    behind it. Links on the engine's host cannot be seen from here.

    Raises:
        SettingsError: a source lies in, or holds, what belongs to the host alone, or a target
            lies in, or hides, a part of the sandbox.
    """
    socket = engine.address.removeprefix("unix://")
    forbidden = (*_HOST, engine.root, *([socket] if socket.startswith("/") else []))
    for mount in mounts:
        inside = _clash(mount.source, forbidden)
        if inside is not None:
            raise SettingsError(
                f"[data.directories] {mount.source!r}: never mounted, since it opens {inside} of "
                f"the engine's host {engine.name}",
                hint="move the data to a directory of its own",
                source=mount.source,
            )
        inside = _clash(mount.target, _CONTAINER)
        if inside is not None:
            raise SettingsError(
                f"[data.directories] {mount.target!r}: data cannot be put over {inside} of the "
                "container",
                hint='choose another path inside, such as "/data"',
                target=mount.target,
            )


def _clash(path: str, forbidden: Iterable[str]) -> str | None:
    """The first of `forbidden` that `path` equals, lies below, or holds."""
    given = PurePosixPath(path)
    if not given.is_absolute() or ".." in given.parts or "\0" in path:
        return "whatever a path that is not absolute and plain leads to"
    # POSIX keeps exactly two leading slashes apart; the kernel does not.
    given = PurePosixPath("/", *given.parts[1:])
    for name in forbidden:
        other = PurePosixPath(name)
        if given.is_relative_to(other) or other.is_relative_to(given):
            return name
    return None
