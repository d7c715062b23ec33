"""Picks the training image that matches a detection, and says why."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pushtrain.entities import NOTHING, Detection, ImagePlan
from pushtrain.errors import SettingsError
from pushtrain.images import python_requirement
from pushtrain.images.catalog import Catalog
from pushtrain.images.machine import Machine
from pushtrain.images.recipe import EXTRA, Recipe, recipes
from pushtrain.images.requirements import Requirements
from pushtrain.settings import ImageSettings

BASE = "base"
"""The layer that all others stand on."""
PYTHON = "/opt/venv/bin/python"
"""The interpreter of every training image (docker/base)."""


class Planner:
    """Picks layers from the catalog for what was detected.

    Args:
        catalog: the layers.
        machine: what the building machine gives to an image.
    """

    def __init__(self, catalog: Catalog, machine: Machine) -> None:
        self.catalog = catalog
        self.machine = machine

    def plan(self, detection: Detection, settings: ImageSettings, root: Path) -> ImagePlan:
        """The image for a detection.

        Args:
            detection: what the code trains and needs.
            settings: `[image]` of the repository.
            root: the repository's tree, for its requirements.

        Raises:
            SettingsError: the framework has no image, or the requirements cannot be read.
            ImageError: it requires a newer Python than the image has, or a build for CPUs that is
                to be had nowhere.
        """
        layers, reasons = self._layers(detection)
        pythons = python_requirement.check(root, self.machine.python)
        needed = Requirements(self.catalog, self.machine, layers).of(detection, settings, root)
        if needed.lines:
            layers = (*layers, EXTRA)
        made = recipes(self.catalog, self.machine, layers, needed.lines)
        return ImagePlan(
            tag=made[-1].tag,
            layers=layers,
            extra=needed.lines,
            python=PYTHON,
            preload=(detection.framework,),
            reasons=(*reasons, *pythons, *needed.reasons),
        )

    @property
    def base_tag(self) -> str:
        """The tag of the image that all others stand on."""
        return recipes(self.catalog, self.machine, (BASE,), ())[-1].tag

    def recipes(self, plan: ImagePlan) -> tuple[Recipe, ...]:
        """What makes the image of a plan, from the base up."""
        return recipes(self.catalog, self.machine, plan.layers, plan.extra)

    def _layers(self, detection: Detection) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The catalog's layers for a detection, from the base up, and why each."""
        framework = self._framework(detection)
        reasons = [
            f"{name}: {self._why(name, detection, framework)}"
            for name in self.catalog.below(framework)
        ]
        layers = self.catalog.below(framework)
        family = self.catalog.families().get(detection.family)
        if family is not None and self.catalog.layers[framework].framework == "keras":
            layers = (*layers, family)
            about = self.catalog.layers[family].about
            reasons.append(f"{family}: the model is of the family {detection.family}; {about}")
        return layers, tuple(reasons)

    def _why(self, name: str, detection: Detection, framework: str) -> str:
        layer = self.catalog.layers[name]
        if name == "base":
            made = (
                self.machine.base_image or f"this machine's Debian packages ({self.machine.suite})"
            )
            return f"Python {self.machine.python}, from {made}"
        if name == framework:
            on = f" on {layer.backend}" if layer.backend else ""
            return f"the code trains {detection.framework}{on}"
        return layer.about

    def _framework(self, detection: Detection) -> str:
        """The layer of a detection's framework and backend."""
        frameworks = self.catalog.frameworks()
        if not detection.trains or detection.framework == NOTHING:
            raise SettingsError(
                f"{detection.entry} trains nothing that pushtrain knows, so no image matches it",
                hint="`pushtrain detect` shows what was read; [train] entry names another script",
                supported=_names(frameworks),
            )
        key = (detection.framework, detection.backend)
        if key not in frameworks:
            on = f" on {detection.backend}" if detection.backend else ""
            raise SettingsError(
                f"{detection.entry} trains {detection.framework}{on}, for which there is no image "
                f"yet; there are images for {', '.join(_names(frameworks))}",
                hint="if that was read wrongly, set [train] framework in pushtrain.toml",
                framework=detection.framework,
                supported=_names(frameworks),
            )
        return frameworks[key]


def _names(frameworks: Mapping[tuple[str, str | None], str]) -> list[str]:
    return [f"{name} on {backend}" if backend else name for name, backend in frameworks]
