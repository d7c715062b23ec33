"""What every training container is made of: the sandbox, in one record of the Engine's API.

Every protection is spelled out, also where it is an engine's default, since a host may have
changed its defaults. tests/integration/test_sandbox.py tries to break each; docs/04-sandbox.md
says what each is for and which one setting relaxes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pushtrain.interfaces import LABEL_CHECKPOINTS, Limits, Mount, OutgoingFile, SandboxSpec

WORK = "/pushtrain"
"""Where the container's own volume lies. It belongs to root, all but its `trials`."""

_USER = 1000
"""uid and gid of everything in a container; no image needs to know them."""
_OPEN_FILES = 4096
_LOG_KEPT = 1024**3
"""Bytes of a container's log after which the engine drops it and begins anew."""


def container(spec: SandboxSpec) -> dict[str, Any]:
    """The body of `POST /containers/create` for a hardened container.

    Source: https://docs.docker.com/reference/api/engine/ (fields as of API 1.41, Docker 20.10).
    """
    return {
        "Image": spec.image,
        # As the entry point, so that neither the image's own nor its command is left over.
        "Entrypoint": list(spec.command),
        "Cmd": [],
        "Env": [f"{name}={value}" for name, value in sorted(spec.environment.items())],
        "Labels": dict(spec.labels),
        "User": f"{_USER}:{_USER}",
        "WorkingDir": "/",
        "Hostname": "trainer",
        "StopSignal": "SIGTERM",
        "Healthcheck": {"Test": ["NONE"]},
        "OpenStdin": False,
        "Tty": False,
        "HostConfig": {
            **_isolation(spec),
            **_resources(spec.limits),
            "LogConfig": _log(),
            "RestartPolicy": {"Name": "no"},
            "AutoRemove": False,  # what a container left behind is read after its end
            "Init": False,  # the worker is process 1 and reaps its children itself
        },
    }


def _isolation(spec: SandboxSpec) -> dict[str, Any]:
    return {
        "Privileged": False,
        "CapDrop": ["ALL"],
        # No system call filter is named: that keeps the engine's own default profile.
        "SecurityOpt": ["no-new-privileges:true"],
        "ReadonlyRootfs": True,
        "NetworkMode": "bridge" if spec.limits.network else "none",
        "PublishAllPorts": False,
        "IpcMode": "private",
        # A cache of compiled code is read, never executed, so noexec costs nothing.
        "Tmpfs": {"/tmp": f"rw,nosuid,nodev,noexec,mode=1777,size={spec.limits.shm}"},  # noqa: S108
        "Mounts": [*_volumes(spec), *(_bind(mount) for mount in spec.mounts)],
    }


def _resources(limits: Limits) -> dict[str, Any]:
    return {
        "Memory": limits.memory,
        "MemorySwap": limits.memory,  # memory and swap together: no swap
        "OomKillDisable": False,
        "OomScoreAdj": 500,  # before anything else on the host
        "NanoCpus": int(limits.cpus * 1e9),
        "PidsLimit": limits.pids,
        "ShmSize": limits.shm,
        "Ulimits": [
            _ulimit("core", 0),
            # The worker watches the sum; this one holds for a single file even without it.
            _ulimit("fsize", limits.disk),
            _ulimit("nofile", _OPEN_FILES),
        ],
    }


def _log() -> dict[str, Any]:
    # Engines before 23 lose and repeat lines for whoever follows a log while it is rotated, so
    # `most_printed` ends the container before that. Their "local" driver would also lose the
    # newlines of long lines.
    return {
        "Type": "json-file",
        "Config": {
            "mode": "blocking",
            "max-size": str(_LOG_KEPT),
            "max-file": "1",
            "compress": "false",
        },
    }


def writable(spec: SandboxSpec) -> Iterator[OutgoingFile]:
    """The directories on disk that training can write: `trials`, of the container's own volume
    and of the one for checkpoints."""
    for volume in ("", "checkpoints/") if spec.checkpoints else ("",):
        yield OutgoingFile(f"{volume}trials/", mode=0o700, owner=_USER)


def most_printed(inspected: dict[str, Any]) -> int:
    """Bytes that a container's log may need before it counts as hostile, from its inspection."""
    kept = inspected["HostConfig"]["LogConfig"]["Config"].get("max-size", _LOG_KEPT)
    return int(kept) // 2


def _volumes(spec: SandboxSpec) -> Iterator[dict[str, Any]]:
    # Without a name of its own a volume goes when its container goes.
    yield _volume("", WORK, spec.labels)
    if spec.checkpoints:
        labels = {**spec.labels, LABEL_CHECKPOINTS: spec.name}
        yield _volume(spec.checkpoints, f"{WORK}/checkpoints", labels)


def _volume(name: str, target: str, labels: Mapping[str, str]) -> dict[str, Any]:
    options = {"NoCopy": True, "Labels": dict(labels)}
    named = {"Source": name} if name else {}
    return {"Type": "volume", **named, "Target": target, "VolumeOptions": options}


def _bind(mount: Mount) -> dict[str, Any]:
    # Unlike `--volume`, a mount of type bind is refused where the directory does not exist.
    # Not recursive: what else is mounted below it would not be read-only on engines before 25.
    return {
        "Type": "bind",
        "Source": mount.source,
        "Target": mount.target,
        "ReadOnly": True,
        "BindOptions": {"Propagation": "rprivate", "NonRecursive": True},
    }


def _ulimit(name: str, value: int) -> dict[str, Any]:
    return {"Name": name, "Soft": value, "Hard": value}
