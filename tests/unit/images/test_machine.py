"""What the building machine gives to an image."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from pushtrain.errors import ImageError
from pushtrain.images import Machine

PYTHONS = {"bookworm": "3.11", "trixie": "3.13"}


@pytest.mark.parametrize(
    ("base", "python"),
    [
        ("python:3.11-slim", "3.11"),
        ("registry.example:5000/library/python:3.13", "3.13"),
        ("python:3.12.4-bookworm@sha256:00", "3.12"),
    ],
)
def test_a_base_image_tells_its_python_by_its_name(base: str, python: str) -> None:
    machine = Machine.from_environment(PYTHONS, {"BASE_IMAGE": base})
    assert (machine.base_image, machine.python, machine.suite) == (base, python, None)


@pytest.mark.parametrize("base", ["ours:latest", "mypython:3.11", "python:3", "python:3.110x"])
def test_otherwise_the_python_must_be_stated(base: str) -> None:
    with pytest.raises(ImageError, match="BASE_PYTHON"):
        Machine.from_environment(PYTHONS, {"BASE_IMAGE": base})
    given = {"BASE_IMAGE": base, "BASE_PYTHON": "3.12"}
    assert Machine.from_environment(PYTHONS, given).python == "3.12"


def test_without_a_base_image_the_release_says_which_python(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    release = {"VERSION_CODENAME": "trixie"}
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: release)
    machine = Machine.from_environment(PYTHONS, {})
    assert (machine.base_image, machine.suite, machine.python) == (None, "trixie", "3.13")
    release["VERSION_CODENAME"] = "warty"
    with pytest.raises(ImageError, match="BASE_IMAGE") as refusal:
        Machine.from_environment(PYTHONS, {})
    assert "warty" in refusal.value.message


def test_certificates_are_those_that_the_environment_names(tmp_path: Path) -> None:
    block = "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n"
    bundle = tmp_path / "bundle.pem"
    bundle.write_text("# mine\n" + block.format("one") + block.format("two") + block.format("one"))
    given = {"BASE_IMAGE": "python:3.11", "SSL_CERT_FILE": str(bundle)}
    files = Machine.from_environment(PYTHONS, given).certificate_files()
    assert sorted(files.values()) == [block.format(x).encode() for x in ("one", "two")]
    assert all(name.endswith(".crt") for name in files)


def test_proxies_are_taken_in_either_case() -> None:
    given = {"BASE_IMAGE": "python:3.11", "HTTPS_PROXY": "http://p:1", "no_proxy": "a"}
    machine = Machine.from_environment(PYTHONS, given)
    assert machine.proxies == {"https_proxy": "http://p:1", "no_proxy": "a"}


def test_packages_are_built_from_source_only_on_the_operators_word() -> None:
    given = {"BASE_IMAGE": "python:3.11"}
    assert not Machine.from_environment(PYTHONS, given).builds_sdists
    for value, builds in (("1", True), ("0", False)):
        machine = Machine.from_environment(PYTHONS, {**given, "PUSHTRAIN_BUILD_SDISTS": value})
        assert machine.builds_sdists is builds
