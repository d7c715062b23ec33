"""What a repository needs more than its image has: its own requirements, mended by rules.

The rules are data ([requirements] in docker/catalog.toml); each that changes a line says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from pushtrain.entities import Detection
from pushtrain.errors import ImageError, SettingsError
from pushtrain.images import requirement_file
from pushtrain.images.bounds import allows_none_from
from pushtrain.images.catalog import Catalog, marker_environment
from pushtrain.images.machine import Machine
from pushtrain.images.requirement_file import Written
from pushtrain.settings import ImageSettings


@dataclass(frozen=True, slots=True)
class Needed:
    """Requirement lines of the generated layer, and a sentence for each thing that was decided."""

    lines: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


class Requirements:
    """Works out what an image lacks.

    Args:
        catalog: the rules, and what each layer installs.
        machine: its Python, and its wheels of builds for CPUs.
        layers: the image's layers, from the base up.
    """

    def __init__(self, catalog: Catalog, machine: Machine, layers: Sequence[str]) -> None:
        self._catalog = catalog
        self._rules = catalog.requirements
        self._machine = machine
        self._markers = marker_environment(machine.python)
        self._has: dict[str, Version] = {}
        self._fixed: set[str] = set()
        movable: set[str] = set()
        for name in layers:
            locked = catalog.locked(name, machine.python)
            self._has |= locked
            wanted = {canonicalize_name(one.name) for one in catalog.wanted(name, machine.python)}
            if catalog.layers[name].framework:
                self._fixed |= set(locked) - movable | wanted
            else:
                movable |= wanted
        if "sklearn" in layers:
            self._fixed -= movable
        self._elsewhere = {
            name: version
            for layer in catalog.layers
            if layer not in layers
            for name, version in catalog.locked(layer, machine.python).items()
        }

    def of(self, detection: Detection, settings: ImageSettings, root: Path) -> Needed:
        """What the generated layer installs for a repository.

        Its requirements file counts; only where there is none, the detected distributions do.
        `[image] packages` are added to either.

        Raises:
            SettingsError: a line cannot be read, or names what no index may be asked for.
            ImageError: a build for CPUs is to be had nowhere.
        """
        path = settings.requirements or requirement_file.find(root, detection.entry)
        work = _Work()
        if path is not None:
            file = requirement_file.read(root, path)
            work.reasons += [f"{path} says what is needed", *file.notes]
            self._take(file.written, work)
            self._warn_of_missing(detection, file.written, work)
        else:
            written = [
                Written(Requirement(n), "the code imports it") for n in detection.distributions
            ]
            self._take(written, work)
        self._take([_stated(line) for line in settings.packages], work)
        return work.done(path)

    def _take(self, written: Iterable[Written], work: _Work) -> None:
        for one in written:
            marker = one.requirement.marker
            if marker is None or marker.evaluate(self._markers):
                line = self._mended(one, work)
                if line is not None:
                    work.lines[canonicalize_name(Requirement(line).name)] = line
                    work.added.append(f"{line} ({one.place})")

    def _mended(self, one: Written, work: _Work) -> str | None:
        """The line to install for a requirement; None where the image has it, or nobody needs it."""
        name, specifier = canonicalize_name(one.requirement.name), one.requirement.specifier
        if name in self._rules.meant:
            name, specifier = canonicalize_name(self._rules.meant[name]), SpecifierSet()
        name = canonicalize_name(self._rules.instead.get(name, name))
        if name in self._rules.left_out or self._rules.needs_gpu(name):
            work.left_out.append(str(one.requirement))
            return None
        extras = sorted(one.requirement.extras - self._rules.gpu_extras)
        has = self._has.get(name)
        asked = f"{name}{specifier}"
        if has is not None and specifier.contains(has, prereleases=True):
            return f"{name}[{','.join(extras)}]=={has}" if extras else None
        if has is not None and name in self._fixed:
            work.kept.append(f"{asked} (it has {has})")
            return None
        if name in self._rules.cpu_wheels:
            return self._for_cpus(name, specifier, work)
        oldest = self._rules.oldest.get(name)
        if oldest is not None and allows_none_from(specifier, Version(oldest)):
            work.loosened.append(asked)
            if has is not None:
                return None
            specifier = SpecifierSet()
        if not specifier and name in self._elsewhere:
            specifier = SpecifierSet(f"=={self._elsewhere[name]}")
        return f"{name}{'[' + ','.join(extras) + ']' if extras else ''}{specifier}"

    def _for_cpus(self, name: str, specifier: SpecifierSet, work: _Work) -> str:
        """A line that only a build for CPUs meets; what the index serves would be CUDA's."""
        wheels = self._machine.wheels(name)
        fitting = [
            version for version, _ in wheels if specifier.contains(version, prereleases=True)
        ]
        if fitting:
            return f"{name}=={fitting[-1]}"
        if self._machine.packages.has_cpu_index:
            return f"{name}{specifier}"
        if wheels:
            work.loosened.append(f"{name}{specifier}")
            return f"{name}=={wheels[-1][0]}"
        raise ImageError(
            f"{name} is needed, and this machine has no build of it for CPUs",
            hint="put its wheel into the directory that PUSHTRAIN_WHEELHOUSE names, or configure "
            "the index of builds for CPUs for pip (its address ends with /cpu)",
            distribution=name,
        )

    def _warn_of_missing(
        self, detection: Detection, written: Iterable[Written], work: _Work
    ) -> None:
        named = {canonicalize_name(one.requirement.name) for one in written}
        named |= {
            canonicalize_name(self._rules.meant.get(name, self._rules.instead.get(name, name)))
            for name in tuple(named)
        }
        missing = [
            name
            for name in detection.distributions
            if canonicalize_name(name) not in named | self._has.keys()
        ]
        if missing:
            work.reasons.append(
                f"warning: the code imports {', '.join(missing)}, which neither the requirements "
                "nor the image name"
            )


@dataclass(slots=True)
class _Work:
    """What has been decided so far."""

    lines: dict[str, str] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    loosened: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def done(self, path: str | None) -> Needed:
        said = [
            (self.added, "extra: the image lacks"),
            (self.kept, "warning: the framework's own versions stay as they are, instead of"),
            (self.loosened, "warning: too old for the image's Python, so a newer one is taken for"),
            (self.left_out, "left out, since no CPU needs it:"),
        ]
        reasons = [f"{text} {', '.join(items)}" for items, text in said if items]
        lines = tuple(self.lines[name] for name in sorted(self.lines))
        if not lines:
            source = path or "the code"
            reasons.append(f"no layer of its own: the image has all that {source} asks for")
        return Needed(lines, (*self.reasons, *reasons))


def _stated(line: str) -> Written:
    try:
        requirement = Requirement(line)
    except InvalidRequirement:
        requirement = None
    if requirement is None or requirement.url is not None:
        raise SettingsError(
            f"[image] packages: {line!r} is no plain requirement",
            hint='write it like packages = ["mlxtend>=0.23"]',
        )
    return Written(requirement, "[image] packages")
