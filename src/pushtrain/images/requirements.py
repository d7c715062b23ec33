"""What a repository needs more than its image has: its own requirements, mended by rules.

The rules are data ([requirements] in docker/catalog.toml); each that changes a line says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from pushtrain.entities import Detection
from pushtrain.errors import SettingsError
from pushtrain.images import requirement_file
from pushtrain.images.bounds import allows_none_from
from pushtrain.images.catalog import Catalog, marker_environment
from pushtrain.images.machine import Machine, no_build_for_cpus
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
        self._rules = catalog.requirements
        self._machine = machine
        self._markers = marker_environment(machine.python)
        self._has: dict[NormalizedName, Version] = {}
        self._fixed: set[NormalizedName] = set()
        for name in layers:
            if catalog.layers[name].is_base:
                continue
            locked = catalog.locked(name, machine.python)
            if catalog.layers[name].framework:  # itself and what only it brings; never replaced
                self._fixed |= locked.keys() - self._has.keys()
            self._has.update(locked)
        self._elsewhere = {
            name: version
            for layer in catalog.layers
            for name, version in catalog.locked(layer, machine.python).items()
        }

    def of(self, detection: Detection, settings: ImageSettings, root: Path) -> Needed:
        """What the generated layer installs for a repository.

        Its requirements file counts; only where there is none, the detected distributions do.
        `[image] packages` are added to either.

        Raises:
            SettingsError: a line is no plain requirement; names file and line.
            ImageError: a build for CPUs is to be had nowhere.
        """
        path = settings.requirements or requirement_file.find(root, detection.entry)
        work = _Work(source=path or "the code")
        if path is not None:
            file = requirement_file.read(root, path)
            work.reasons += [f"{path} says what is needed", *file.notes]
            self._take(file.written, work)
            self._warn_of_missing(detection, file.written, work)
        else:
            names = detection.distributions
            self._take([Written(Requirement(name), "the code needs it") for name in names], work)
        self._take([_stated(line) for line in settings.packages], work)
        return work.done()

    def _take(self, written: Iterable[Written], work: _Work) -> None:
        for one in written:
            marker = one.requirement.marker
            if marker is None or marker.evaluate(self._markers):
                line = self._mended(one.requirement, work)
                if line is not None:
                    work.lines[canonicalize_name(Requirement(line).name)] = line
                    work.added.append(f"{line} ({one.place})")

    def _mended(self, asked: Requirement, work: _Work) -> str | None:
        """The line to install; None where the image has it, or no CPU needs it."""
        name = self._meant(asked.name)
        specifier = SpecifierSet() if asked.name.lower() in self._rules.meant else asked.specifier
        if name in self._rules.left_out or self._rules.needs_gpu(name):
            work.left_out.append(str(asked))
            return None
        extras = ",".join(sorted(asked.extras - self._rules.gpu_extras))
        named = f"{name}[{extras}]" if extras else name
        has = self._has.get(name)
        if has is not None and specifier.contains(has, prereleases=True):
            return f"{named}=={has}" if extras else None
        if name in self._fixed:
            work.kept.append(f"{asked.name}{asked.specifier} (the image has {name} {has})")
            return None
        if name in self._rules.cpu_wheels:
            return self._for_cpus(name, specifier, work)
        oldest = self._rules.oldest.get(name)
        if oldest is not None and allows_none_from(specifier, Version(oldest)):
            work.loosened.append(f"{asked.name}{asked.specifier}")
            specifier = SpecifierSet()
            if has is not None:
                return f"{named}=={has}" if extras else None
        if not specifier and name in self._elsewhere:  # the same version in every image
            specifier = SpecifierSet(f"=={self._elsewhere[name]}")
        return f"{named}{specifier}"

    def _meant(self, written: str) -> NormalizedName:
        """The distribution that is installed for a name."""
        name = canonicalize_name(written)
        name = canonicalize_name(self._rules.meant.get(name, name))
        return canonicalize_name(self._rules.instead.get(name, name))

    def _for_cpus(self, name: NormalizedName, specifier: SpecifierSet, work: _Work) -> str:
        """A line that only a build for CPUs meets; what the index serves would be CUDA's."""
        versions = [version for version, _ in self._machine.wheels(name)]
        fitting = [one for one in versions if specifier.contains(one, prereleases=True)]
        if fitting:
            return f"{name}=={fitting[-1]}"
        if self._machine.packages.has_cpu_index:
            return f"{name}{specifier}"
        if not versions:
            raise no_build_for_cpus(name)
        work.loosened.append(f"{name}{specifier}")
        return f"{name}=={versions[-1]}"

    def _warn_of_missing(
        self, detection: Detection, written: Iterable[Written], work: _Work
    ) -> None:
        named = {self._meant(one.requirement.name) for one in written} | self._has.keys()
        missing = [name for name in detection.distributions if self._meant(name) not in named]
        if missing:
            work.reasons.append(
                f"warning: the code needs {', '.join(missing)}, which neither {work.source} nor "
                "the image names"
            )


@dataclass(slots=True)
class _Work:
    """What has been decided so far."""

    source: str
    lines: dict[NormalizedName, str] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    loosened: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def done(self) -> Needed:
        """The outcome: lines sorted by name, and a sentence for each kind of decision."""
        said = [
            (self.added, "extra: the image lacks"),
            (self.kept, "warning: what the framework stands on stays as it is, instead of"),
            (self.loosened, "warning: not to be had for this Python, so a newer one stands for"),
            (self.left_out, "left out, since training on CPUs needs none of it:"),
        ]
        reasons = [f"{text} {', '.join(items)}" for items, text in said if items]
        lines = tuple(self.lines[name] for name in sorted(self.lines))
        if not lines:
            reasons.append(f"extra: none, the image has all that {self.source} asks for")
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
