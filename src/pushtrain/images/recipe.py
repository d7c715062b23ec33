"""What makes an image: the files and arguments of each layer, and the tag that follows."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pushtrain.images.catalog import Catalog
from pushtrain.images.machine import Machine, no_build_for_cpus

EXTRA = "extra"
"""The name of the layer that is generated for what one repository needs more."""

ROOTFS_PACKAGES = (
    "ca-certificates",
    "libgomp1",
    "libstdc++6",
    "python3",
    "python3-venv",
    "tzdata",
)
"""Debian packages of a base image that is made here (the libraries are what wheels expect)."""

_FORMAT = 1
"""Raised when images must be made anew though nothing that is hashed has changed."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that makes one layer.

    Attributes:
        layer: its name in the catalog, or "extra".
        name: the image's name, which tells its layers ("keras-tensorflow-cnn").
        files: its build context, by path: content, or a file of this machine.
        parent: the recipe of the layer below; None for the base.
        arguments: build arguments that belong to the content.
    """

    layer: str
    name: str
    files: Mapping[str, bytes | Path]
    parent: Recipe | None = None
    arguments: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 (hex) over everything that makes the layer and those below."""
        content = {
            "format": _FORMAT,
            "layer": self.layer,
            "parent": self.parent.digest if self.parent else None,
            "files": {path: _sha256(self.files[path]) for path in sorted(self.files)},
            "arguments": dict(self.arguments),
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @property
    def tag(self) -> str:
        """`pushtrain/<name>:<content hash>`."""
        return f"pushtrain/{self.name}:{self.digest[:16]}"

    def context(self) -> BinaryIO:
        """The build context as a tar that depends on the files' names and contents only."""
        spool = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
        with tarfile.open(fileobj=spool, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for path in sorted(self.files):
                content = self.files[path]
                member = tarfile.TarInfo(path)
                member.mode = 0o755 if path == "install-layer" else 0o644
                if isinstance(content, bytes):
                    member.size = len(content)
                    archive.addfile(member, io.BytesIO(content))
                else:
                    member.size = content.stat().st_size
                    with content.open("rb") as stream:
                        archive.addfile(member, stream)
        spool.seek(0)
        return spool


def recipes(
    catalog: Catalog, machine: Machine, layers: Sequence[str], extra: Sequence[str]
) -> tuple[Recipe, ...]:
    """The recipes of an image, from the base up.

    Args:
        catalog: the layers' folders.
        machine: what the building machine adds.
        layers: catalog names from the base up, "extra" last where there is one.
        extra: requirement lines of that generated layer.
    """
    made: list[Recipe] = []
    for number, layer in enumerate(layers):
        below = layers[:number]
        files: dict[str, bytes | Path] = (
            _extra_files(catalog, machine, below, extra)
            if layer == EXTRA
            else _catalog_files(catalog, machine, layer)
        )
        made.append(
            Recipe(
                layer=layer,
                name=_name(catalog, (*below, layer)),
                files=files,
                parent=made[-1] if made else None,
                arguments=_arguments(machine) if number == 0 else {},
            )
        )
    return tuple(made)


def _name(catalog: Catalog, layers: Sequence[str]) -> str:
    own = [name for name in layers if name == EXTRA or not catalog.layers[name].is_shared]
    return "-".join(own) or layers[-1]


def _arguments(machine: Machine) -> Mapping[str, str]:
    base = machine.base_image or f"{machine.suite} {' '.join(ROOTFS_PACKAGES)}"
    return {"PYTHON": machine.python, "base": base}


def _catalog_files(catalog: Catalog, machine: Machine, layer: str) -> dict[str, bytes | Path]:
    folder = catalog.folder / layer
    files: dict[str, bytes | Path] = {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if path.is_file() and path.name != "requirements.in"
    }
    if catalog.layers[layer].is_base:
        files |= {f"ca/{name}": pem for name, pem in machine.certificate_files().items()}
    pins = [f"{name}=={version}" for name, version in catalog.locked(layer, machine.python).items()]
    return files | _wheels(catalog, machine, pins)


def _extra_files(
    catalog: Catalog, machine: Machine, below: Sequence[str], extra: Sequence[str]
) -> dict[str, bytes | Path]:
    dockerfile = (catalog.folder / EXTRA / "Dockerfile").read_bytes()
    files: dict[str, bytes | Path] = {
        "Dockerfile": dockerfile,
        "requirements.txt": "".join(f"{line}\n" for line in extra).encode(),
        "image.txt": "".join(f"{line}\n" for line in _kept(catalog, machine, below)).encode(),
        "overrides.txt": "".join(f"{line}\n" for line in _overrides(catalog, extra)).encode(),
    }
    return files | _wheels(catalog, machine, extra)


def _kept(catalog: Catalog, machine: Machine, below: Sequence[str]) -> tuple[str, ...]:
    """What stays true of the layers below: a framework's own versions, and what others ask for.

    Of what nobody but an older pin asks for, a newer or older version may come in.
    """
    kept: dict[str, None] = {}
    for layer in below:
        if catalog.layers[layer].is_base:
            continue
        locked = catalog.locked(layer, machine.python)
        for wanted in catalog.wanted(layer, machine.python):
            name = canonicalize_name(wanted.name)
            fixed = catalog.layers[layer].framework is not None
            kept[f"{name}=={locked[name]}" if fixed else str(wanted)] = None
    return tuple(kept)


def _overrides(catalog: Catalog, extra: Sequence[str]) -> Iterator[str]:
    """Keeps builds for CUDA out, whatever the added packages depend on.

    A GPU's libraries are never installed (a marker that is never true); a package that exists for
    CPUs only as a wheel of this machine must be asked for by name, and is in `extra` then.
    """
    rules = catalog.requirements
    asked = {canonicalize_name(Requirement(line).name): line for line in extra}
    for name in sorted(rules.gpu_dependencies):
        yield f"{name}; sys_platform == 'never'"
    for name in sorted(rules.cpu_wheels):
        yield asked.get(canonicalize_name(name), f"{name}<0")


def _wheels(catalog: Catalog, machine: Machine, requirements: Sequence[str]) -> dict[str, Path]:
    """The wheelhouse's wheels that these requirements may be met with, as files of a context."""
    found: dict[str, Path] = {}
    for requirement in map(Requirement, requirements):
        fitting = [
            path
            for version, path in machine.wheels(canonicalize_name(requirement.name))
            if requirement.specifier.contains(version, prereleases=True)
        ]
        for_cpus = requirement.name in catalog.requirements.cpu_wheels
        if for_cpus and not fitting and not machine.packages.has_cpu_index:
            raise no_build_for_cpus(str(requirement))
        found |= {f"wheels/{path.name}": path for path in fitting}
    return found


def _sha256(content: bytes | Path) -> str:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    status = content.stat()
    return _sha256_of_file(content, (status.st_size, status.st_mtime_ns))


@lru_cache
def _sha256_of_file(path: Path, _state: tuple[int, int]) -> str:
    """A wheel is read once, as long as its size and time stay the same."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
