"""The catalog is held against the folders that it speaks of."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name
from packaging.version import Version

import pushtrain.detect
from pushtrain.images import Catalog

CATALOG = Catalog.load()
LAYERS = sorted(CATALOG.layers)
PYTHONS = sorted(set(CATALOG.pythons.values()))


def test_every_folder_is_a_layer_and_every_layer_a_folder() -> None:
    folders = {path.parent.name for path in CATALOG.folder.glob("*/Dockerfile")}
    assert folders == {*CATALOG.layers, "extra"}


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_locks_what_it_asks_for(layer: str, python: str) -> None:
    locked = CATALOG.locked(layer, python)
    wanted = CATALOG.wanted(layer, python)
    assert wanted
    for one in wanted:
        assert one.specifier.contains(locked[canonicalize_name(one.name)], prereleases=True)


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_brings_the_modules_that_it_says(layer: str) -> None:
    below = {name for part in CATALOG.below(layer) for name in CATALOG.locked(part, "3.11")}
    brought = {canonicalize_name(name) for name in CATALOG.layers[layer].imports.values()}
    assert brought <= below


@pytest.mark.parametrize("python", PYTHONS)
def test_one_version_of_each_package_in_all_layers(python: str) -> None:
    versions: dict[str, set[Version]] = {}
    for layer in LAYERS:
        for name, version in CATALOG.locked(layer, python).items():
            versions.setdefault(name, set()).add(version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


def test_no_layer_locks_a_build_for_cuda() -> None:
    rules = CATALOG.requirements
    for layer in LAYERS:
        for name, version in CATALOG.locked(layer, "3.11").items():
            assert not rules.needs_gpu(name), (layer, name)
            assert name not in rules.cpu_wheels or version.local == "cpu", (layer, name)
            assert name not in rules.gpu_dependencies, (layer, name)


def test_the_lock_files_tell_nothing_of_the_machine_that_made_them() -> None:
    for file in CATALOG.folder.glob("*/requirements*"):
        text = file.read_text()
        assert "://" not in text, file
        assert "--find-links" not in text, file


def test_what_the_layers_lock_is_never_too_old_for_the_rules() -> None:
    oldest = CATALOG.requirements.oldest
    for layer in LAYERS:
        for python in PYTHONS:
            for name, version in CATALOG.locked(layer, python).items():
                assert version >= Version(oldest.get(name, "0")), (layer, name)


def test_the_rules_name_distributions_as_they_are_compared() -> None:
    rules = CATALOG.requirements
    for name in (*rules.oldest, *rules.cpu_wheels, *rules.left_out, *rules.instead, *rules.meant):
        assert name == canonicalize_name(name)


def test_every_framework_and_backend_that_is_detected_has_a_layer() -> None:
    found = CATALOG.frameworks()
    assert {backend for name, backend in found if name == "keras"} == {"tensorflow", "jax", "torch"}
    assert ("sklearn", None) in found


def test_no_framework_with_an_image_counts_as_one_of_the_others() -> None:
    folder = Path(str(pushtrain.detect.__file__)).parent / "frameworks"
    others = tomllib.loads((folder / "others.toml").read_text())["framework"]
    assert {one["name"] for one in others}.isdisjoint({name for name, _ in CATALOG.frameworks()})
