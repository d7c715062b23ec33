"""A Docker Engine: launching, finding and removing hardened containers."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain

from pushtrain.engine import hardening
from pushtrain.engine.connection import Connection
from pushtrain.engine.docker_sandbox import DockerSandbox
from pushtrain.engine.inspection import inspect, state_of
from pushtrain.engine.mounts import check_mounts
from pushtrain.entities import Cause
from pushtrain.errors import PushtrainError, SandboxError, SettingsError
from pushtrain.interfaces import (
    LABEL_CHECKPOINTS,
    LABEL_RUN,
    EngineFacts,
    OutgoingFile,
    SandboxSpec,
    SandboxState,
    VolumeState,
)

_log = logging.getLogger(__name__)

_REMOVAL = 120
"""Seconds that another's removal of the same container may take."""


class DockerEngine:
    """The containers of one engine; see `pushtrain.interfaces.Engine`. Thread-safe."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def facts(self) -> EngineFacts:
        """Version, address and size of the engine."""
        with self._connection.calling("the engine cannot tell about itself") as client:
            version, info = client.version(), client.info()
        return EngineFacts(
            address=self._connection.address,
            version=version["Version"],
            api_version=version["ApiVersion"],
            storage_driver=info["Driver"],
            cpus=info["NCPU"],
            memory=info["MemTotal"],
            name=info["Name"],
            root=info["DockerRootDir"],
            time=datetime.fromisoformat(info["SystemTime"]).timestamp(),
            cgroup=info.get("CgroupVersion", "1"),
            security=tuple(_protections(info.get("SecurityOptions") or ())),
            warnings=tuple(info.get("Warnings") or ()),
        )

    def launch(self, spec: SandboxSpec, files: Iterable[OutgoingFile] = ()) -> DockerSandbox:
        """Creates a hardened container (not started) with its own volume at /pushtrain.

        Raises:
            SettingsError: a mount opens the sandbox, or its directory does not exist.
            SandboxError: the engine refuses the container, or would not hold its limits.
        """
        if spec.mounts:
            check_mounts(spec.mounts, self.facts())
        try:
            with self._connection.calling(f"container {spec.name} cannot be created") as client:
                body = hardening.container(spec)
                made = client.create_container_from_config(body, spec.name)  # type: ignore[no-untyped-call]
        except SandboxError as error:
            raise self._explained(error, spec) from error
        sandbox = DockerSandbox(self._connection, made["Id"])
        try:
            _check_limits(spec, made.get("Warnings") or ())
            # One archive: each costs an engine about as much as starting a process.
            sandbox.put(hardening.WORK, chain(hardening.writable(spec), files))
        except BaseException:
            self.remove(sandbox.id)
            raise
        return sandbox

    def find(self, labels: Mapping[str, str]) -> Sequence[SandboxState]:
        """Our containers that carry all of `labels` (an empty value matches any), in any state."""
        with self._connection.calling("the containers cannot be listed") as client:
            listed = client.containers(all=True, filters=_ours(labels))
        inspected = (inspect(self._connection, one["Id"]) for one in listed)
        return [state_of(one) for one in inspected if one is not None]

    def remove(self, container: str, *, grace: float = 0) -> None:
        """Stops (SIGTERM, `grace` seconds, SIGKILL) and removes a container and its own volume."""
        try:
            with self._connection.calling(f"container {container} cannot be removed") as client:
                if grace > 0:
                    client.stop(container, timeout=math.ceil(grace))
                client.remove_container(container, v=True, force=True)
        except SandboxError as error:
            status = error.facts.get("status")
            if status == 409:
                self._await_removal(container)
            elif status != 404:
                raise

    def volumes(self, labels: Mapping[str, str]) -> Sequence[VolumeState]:
        """Our volumes with all of `labels` (an empty value matches any) that go with no container.

        Those for checkpoints, and the own ones of containers that others removed without them.
        """
        kinds = (_ours({LABEL_CHECKPOINTS: "", **labels}), {**_ours(labels), "dangling": ["true"]})
        with self._connection.calling("the volumes cannot be listed") as client:
            answers = [client.volumes(filters=kind)["Volumes"] or () for kind in kinds]
        listed = [one for answer in answers for one in answer]
        found = {one["Name"]: VolumeState(one["Name"], dict(one["Labels"])) for one in listed}
        return list(found.values())

    def remove_volume(self, name: str) -> None:
        """Removes such a volume; idempotent, SandboxError while a container uses it."""
        try:
            with self._connection.calling(f"volume {name} cannot be removed") as client:
                client.remove_volume(name)
        except SandboxError as error:
            if error.facts.get("status") != 404:
                raise

    def _await_removal(self, container: str) -> None:
        """Waits until somebody else, who was there first, has removed the container."""
        try:
            with self._connection.calling(f"container {container} cannot be removed") as client:
                client.wait(container, timeout=_REMOVAL, condition="removed")
        except SandboxError as error:
            if error.facts.get("status") != 404:
                raise

    def _explained(self, error: SandboxError, spec: SandboxSpec) -> PushtrainError:
        """The engine's refusal to create a container, with what to do about it."""
        reason = str(error.facts.get("reason"))
        for mount in spec.mounts:
            if "bind source path" in reason and mount.source in reason:
                host = self.facts().name
                return SettingsError(
                    f"[data.directories] {mount.source!r} does not exist on {host}, where the "
                    "engine runs",
                    hint="create it there: data is mounted by the engine, not copied from here",
                    source=mount.source,
                    host=host,
                )
        if "no such image" in reason.lower():
            error.hint = "build it with `pushtrain image --build`"
            error.facts["cause"] = Cause.IMAGE_MISSING
        elif "cpus" in reason.lower():
            error.hint = "lower limits.cpus"
        elif "memory" in reason.lower():
            error.hint = "change limits.memory"
        elif "already in use" in reason.lower():
            error.hint = "remove that container, or wait until its owner has"
        return error


def _ours(labels: Mapping[str, str]) -> dict[str, list[str]]:
    """The filter for what is ours and carries these labels."""
    wanted = [f"{name}={value}" if value else name for name, value in labels.items()]
    return {"label": [LABEL_RUN, *wanted]}


def _check_limits(spec: SandboxSpec, warnings: Iterable[str]) -> None:
    """Refuses a container whose limits the engine leaves out, for which it only warns."""
    for warning in warnings:
        if "discarded" in warning.lower():
            raise SandboxError(
                f"container {spec.name} would not be held to its limits: {warning}",
                hint="let the engine use control groups (a rootless engine needs version 2)",
                reason=warning,
            )
        _log.info("container %s: %s", spec.name, warning)


def _protections(options: Iterable[str]) -> Iterator[str]:
    """ "seccomp" from "name=seccomp,profile=default"."""
    for option in options:
        fields = dict(part.partition("=")[::2] for part in option.split(","))
        if fields.get("profile") != "unconfined":
            yield fields.get("name", option)
