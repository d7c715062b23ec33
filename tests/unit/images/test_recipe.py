"""Tags follow from content: same in, same out, and every difference shows."""

from __future__ import annotations

import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from pushtrain.images import Catalog, Machine
from pushtrain.images.indexes import PackageSource
from pushtrain.images.recipe import Recipe, recipes
from support.plans import MACHINE, tiny_catalog

CATALOG = Catalog.load()
LAYERS = ("base", "science", "keras-tensorflow", "cnn")
PEM = b"-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n"


def tag(machine: Machine = MACHINE, layers: tuple[str, ...] = LAYERS) -> str:
    return recipes(CATALOG, machine, layers, ())[-1].tag


def test_the_name_tells_what_the_image_is_for() -> None:
    made = recipes(CATALOG, MACHINE, (*LAYERS, "extra"), ("a==1",))
    assert [one.name for one in made] == [
        "base",
        "science",
        "keras-tensorflow",
        "keras-tensorflow-cnn",
        "keras-tensorflow-cnn-extra",
    ]


def test_a_tag_depends_on_what_the_image_is_made_of() -> None:
    tags = {
        tag(),
        tag(replace(MACHINE, certificates=PEM % b"one")),
        tag(replace(MACHINE, certificates=PEM % b"two")),
        tag(replace(MACHINE, suite="trixie")),
        tag(replace(MACHINE, python="3.13")),
        tag(replace(MACHINE, suite=None, base_image="python:3.11-slim")),
        tag(layers=LAYERS[:-1]),
    }
    assert len(tags) == 7


def test_a_tag_does_not_depend_on_how_packages_are_reached() -> None:
    source = PackageSource(index="https://me:secret@example.org/simple", trusted=("example.org",))
    proxies = {"https_proxy": "http://proxy.example:3128"}
    assert tag() == tag(replace(MACHINE, packages=source, proxies=proxies))


def test_a_tag_depends_on_certificates_and_not_on_their_order() -> None:
    one, two = PEM % b"one", PEM % b"two"
    tags = {
        tag(replace(MACHINE, certificates=text)) for text in (one + two, b"# note\n" + two + one)
    }
    assert len(tags) == 1


@pytest.mark.parametrize("file", ["Dockerfile", "requirements.txt"])
def test_a_change_below_changes_every_layer_above(tmp_path: Path, file: str) -> None:
    catalog = tiny_catalog(tmp_path)
    before = recipes(catalog, MACHINE, ("base", "middle", "top"), ())
    with (tmp_path / "middle" / file).open("a") as stream:
        stream.write("# changed\n")
    after = recipes(catalog, MACHINE, ("base", "middle", "top"), ())
    assert [a.tag == b.tag for a, b in zip(before, after, strict=True)] == [True, False, False]


def test_a_context_depends_on_names_and_contents_only(tmp_path: Path) -> None:
    (tmp_path / "wheel").write_bytes(b"content")
    one = Recipe("x", "x", {"b": b"content", "a": b"1"})
    two = Recipe("x", "x", {"a": b"1", "b": tmp_path / "wheel"})
    assert one.digest == two.digest
    with one.context() as first, two.context() as second:
        assert first.read() == second.read()


def test_a_context_holds_the_files_and_a_program_that_runs() -> None:
    (base, *_) = recipes(CATALOG, replace(MACHINE, certificates=PEM % b"one"), LAYERS, ())
    with base.context() as stream, tarfile.open(fileobj=stream) as archive:
        modes = {member.name: member.mode for member in archive}
    assert modes["Dockerfile"] == 0o644
    assert modes["install-layer"] == 0o755
    assert sum(name.startswith("ca/") for name in modes) == 1


def test_the_generated_layer_keeps_the_framework_and_keeps_cuda_out() -> None:
    extra = recipes(CATALOG, MACHINE, (*LAYERS, "extra"), ("pandas==2.2.3",))[-1]
    kept = bytes(extra.files["image.txt"]).decode().splitlines()  # type: ignore[arg-type]
    locked = CATALOG.locked("keras-tensorflow", "3.11")
    assert f"tensorflow-cpu=={locked['tensorflow-cpu']}" in kept
    assert "pandas" in kept
    assert "uv" not in kept  # a tool of the base, in no training's way
    overrides = bytes(extra.files["overrides.txt"]).decode().splitlines()  # type: ignore[arg-type]
    assert "torch<0" in overrides
    assert "nvidia-nccl-cu12; sys_platform == 'never'" in overrides
