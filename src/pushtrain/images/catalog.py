"""The catalog of training images: docker/catalog.toml, and the folder of each layer beside it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version
from pydantic import BaseModel, ConfigDict, Field

_PLACES = (
    Path(__file__).parents[1] / "_docker",  # in an installed package
    Path(__file__).parents[3] / "docker",  # in a checkout
)


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Layer(_Table):
    """One layer of the catalog.

    Attributes:
        about: what it brings, for people.
        on: the layer that it stands on; a family's layer stands on any framework's.
        framework: the framework whose layer it is.
        backend: the Keras backend whose layer it is.
        families: the families whose layer it is.
        imports: modules that it brings, with their distributions.
    """

    about: str
    on: str | None = None
    framework: str | None = None
    backend: str | None = None
    families: tuple[str, ...] = ()
    imports: dict[str, str] = {}

    @property
    def is_base(self) -> bool:
        """Whether it stands on no other, and brings tools rather than packages for training."""
        return self.on is None and not self.families

    @property
    def is_shared(self) -> bool:
        """Whether it belongs to no framework and no family in particular."""
        return self.framework is None and not self.families


class RequirementRules(_Table):
    """What is made of a repository's requirements; docker/catalog.toml explains each."""

    gpu: tuple[str, ...]
    gpu_dependencies: frozenset[str]
    gpu_extras: frozenset[str]
    cpu_wheels: frozenset[str]
    left_out: frozenset[str]
    instead: dict[str, str]
    meant: dict[str, str]
    oldest: dict[str, str]

    def needs_gpu(self, name: str) -> bool:
        """Whether a distribution is of use on a GPU only."""
        return any(fnmatchcase(name, pattern) for pattern in self.gpu)


class Catalog(_Table):
    """docker/catalog.toml, whole."""

    folder: Path = Field(exclude=True)
    layers: dict[str, Layer]
    pythons: dict[str, str]
    requirements: RequirementRules

    @classmethod
    @cache
    def load(cls, folder: Path | None = None) -> Catalog:
        """The catalog of a folder (default: the one that comes with pushtrain)."""
        place = folder or next(place for place in _PLACES if (place / "catalog.toml").is_file())
        raw = tomllib.loads((place / "catalog.toml").read_text("utf-8"))
        return cls.model_validate({"folder": place, **raw})

    def below(self, name: str) -> tuple[str, ...]:
        """A layer and all that it stands on, from the base up."""
        layer = self.layers[name]
        return (*self.below(layer.on), name) if layer.on else (name,)

    def frameworks(self) -> Mapping[tuple[str, str | None], str]:
        """The layer of each framework and backend."""
        return {
            (layer.framework, layer.backend): name
            for name, layer in self.layers.items()
            if layer.framework
        }

    def families(self) -> Mapping[str, str]:
        """The layer of each family that has one."""
        return {family: name for name, layer in self.layers.items() for family in layer.families}

    def locked(self, name: str, python: str) -> Mapping[NormalizedName, Version]:
        """The versions that a layer installs for a Python ("3.11")."""
        return {
            canonicalize_name(pin.name): Version(next(iter(pin.specifier)).version)
            for pin in self._requirements(name, "requirements.txt", python)
        }

    def wanted(self, name: str, python: str) -> tuple[Requirement, ...]:
        """What a layer asks for itself: its requirements.in."""
        return tuple(self._requirements(name, "requirements.in", python))

    def _requirements(self, name: str, file: str, python: str) -> Iterator[Requirement]:
        environment = marker_environment(python)
        for line in (self.folder / name / file).read_text("utf-8").splitlines():
            text = line.split("#", 1)[0].strip()
            if text:
                requirement = Requirement(text)
                if requirement.marker is None or requirement.marker.evaluate(environment):
                    yield requirement


def marker_environment(python: str) -> dict[str, str]:
    """What environment markers are judged by in an image with this Python."""
    here = {name: str(value) for name, value in default_environment().items()}
    return {
        **here,
        "implementation_name": "cpython",
        "implementation_version": f"{python}.0",
        "os_name": "posix",
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": "linux",
        "extra": "",
    }
