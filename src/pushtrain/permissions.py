"""What a run's containers may have: the repository's wishes against the operator's allowances."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from pushtrain.entities import Push
from pushtrain.errors import SettingsError
from pushtrain.interfaces import EngineFacts, Limits, Mount
from pushtrain.settings import GIB, OperatorSettings, RepositorySettings

_HEADROOM = GIB
"""Memory of the engine's host that is left to the host itself by default."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What each container of a run may have.

    Attributes:
        limits: what it gets at first.
        mounts: declared data directories.
        most_memory: bytes of memory that it may get where less is too little.
    """

    limits: Limits
    mounts: tuple[Mount, ...]
    most_memory: int


def grant(
    push: Push,
    wishes: RepositorySettings,
    operator: OperatorSettings,
    engine: EngineFacts,
    *,
    network: bool = False,
    parallel: int = 1,
) -> Grant:
    """The limits and mounts of each container of a run.

    Args:
        push: what is trained; someone's own working directory needs no allowance.
        wishes: the repository's settings.
        operator: this machine's settings.
        engine: what the engine's host has.
        network: the caller of the run grants the network.
        parallel: how many containers share the engine's host.

    Raises:
        SettingsError: the repository wishes what nobody allows, with the setting that would.
    """
    trusted = push.is_own_directory
    limits = wishes.limits
    most = max(engine.memory - _HEADROOM, engine.memory // 2) // parallel
    memory = min(limits.memory, most)
    allowed = operator.allow.memory
    if allowed is not None and limits.memory > allowed and not trusted:
        if "memory" in limits.model_fields_set:
            raise _refused(push, "limits.memory", f"{limits.memory} bytes", "allow.memory")
        memory = min(memory, allowed)
    for name, unit in (("disk", "bytes"), ("log", "bytes"), ("pids", "processes")):
        wish = getattr(limits, name)
        if wish > getattr(operator.allow, name) and not trusted:
            raise _refused(push, f"limits.{name}", f"{wish} {unit}", f"allow.{name}")
    if limits.network and not (network or trusted or _allows_network(push, operator)):
        raise _refused(push, "limits.network", "the network", "allow.network")
    cpus = limits.cpus or max(engine.cpus / parallel, 0.5)
    return Grant(
        limits=Limits(
            memory=memory,
            cpus=min(cpus, engine.cpus),
            pids=limits.pids,
            disk=limits.disk,
            shm=min(limits.shm, memory),
            log=limits.log,
            network=limits.network or network,
        ),
        mounts=tuple(
            _mount(push, t, s, operator) for t, s in sorted(wishes.data.directories.items())
        ),
        most_memory=max(memory, min(most, allowed or most)),
    )


def _allows_network(push: Push, operator: OperatorSettings) -> bool:
    return any(fnmatchcase(push.repository, pattern) for pattern in operator.allow.network)


def _mount(push: Push, target: str, source: str, operator: OperatorSettings) -> Mount:
    for path in (target, source):
        if not PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
            raise SettingsError(
                f"[data.directories] {target!r} = {source!r}: both must be absolute paths",
                hint='write it as "/data/cats" = "/srv/datasets/cats"',
            )
    allowed = any(PurePosixPath(source).is_relative_to(root) for root in operator.allow.data)
    if not allowed and not push.is_own_directory:
        raise _refused(push, "data.directories", source, "allow.data")
    return Mount(source, target)


def _refused(push: Push, setting: str, wish: str, allowance: str) -> SettingsError:
    return SettingsError(
        f"{push.repository} asks for {wish} ({setting}), which this machine does not allow",
        hint=f"the operator can allow it by {allowance} in config.toml of PUSHTRAIN_HOME",
        setting=setting,
        allowance=allowance,
    )
