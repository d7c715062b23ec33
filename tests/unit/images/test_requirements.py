"""What the generated layer of a repository installs, and what is said about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pushtrain.errors import ImageError, SettingsError
from pushtrain.images import Catalog, Machine
from pushtrain.images.indexes import PackageSource
from pushtrain.images.requirements import Needed, Requirements
from pushtrain.settings import ImageSettings
from support.plans import MACHINE, detection

CATALOG = Catalog.load()
LAYERS = ("base", "science", "keras-tensorflow", "cnn")
SKLEARN = ("base", "science", "sklearn")
MLXTEND = f"mlxtend=={CATALOG.locked('sklearn', '3.11')['mlxtend']}"


def needed(
    root: Path,
    text: str | None,
    *distributions: str,
    packages: tuple[str, ...] = (),
    layers: tuple[str, ...] = LAYERS,
    machine: Machine = MACHINE,
) -> Needed:
    if text is not None:
        (root / "requirements.txt").write_text(text)
    return Requirements(CATALOG, machine, layers).of(
        detection(distributions=distributions), ImageSettings(packages=packages), root
    )


def said(found: Needed, words: str) -> str:
    """The one reason that begins so."""
    (reason,) = [reason for reason in found.reasons if reason.startswith(words)]
    return reason


def test_what_the_image_has_is_not_installed_again(tmp_path: Path) -> None:
    names = ("keras", "tensorflow", "numpy", "Pillow", "opencv-python-headless", "scikit-learn")
    assert needed(tmp_path, None, *names).lines == ()
    assert needed(tmp_path, "tensorflow>=2\nnumpy\nsklearn\nopencv-python\nPIL\n").lines == ()


def test_what_the_code_needs_more_comes_in_the_version_of_other_images(tmp_path: Path) -> None:
    found = needed(tmp_path, None, "mlxtend", "unheardof")
    assert found.lines == (MLXTEND, "unheardof")
    assert "mlxtend" in said(found, "extra: the image lacks")


def test_requirements_win_over_what_was_detected(tmp_path: Path) -> None:
    found = needed(tmp_path, "flask\n", "mlxtend", "keras")
    assert found.lines == ("flask",)
    assert "mlxtend" in said(found, "warning: the code needs")
    assert "keras," not in said(found, "warning: the code needs")


def test_another_file_can_be_named(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("a\n")
    (tmp_path / "train.txt").write_text("b\n")
    found = Requirements(CATALOG, MACHINE, LAYERS).of(
        detection(), ImageSettings(requirements="train.txt"), tmp_path
    )
    assert found.lines == ("b",)


def test_stated_packages_come_on_top(tmp_path: Path) -> None:
    found = needed(tmp_path, "a\n", packages=("b>=2", "a==1"))
    assert found.lines == ("a==1", "b>=2")
    with pytest.raises(SettingsError, match="no plain requirement"):
        needed(tmp_path, None, packages=("b @ https://example.org/b.whl",))


@pytest.mark.parametrize(
    "line",
    ["tensorflow==1.13.1", "tensorflow-gpu==2.3", "Keras==2.2.4", "protobuf==3.7", "h5py<3"],
)
def test_the_framework_and_what_it_stands_on_stay(tmp_path: Path, line: str) -> None:
    found = needed(tmp_path, f"{line}\n")
    assert found.lines == ()
    assert f"{line} (the image has " in said(found, "warning: what the framework stands on")


@pytest.mark.parametrize("line", ["numpy==1.16.4", "pandas<1", "scipy~=1.2.1", "sklearn==0.20"])
def test_pins_that_no_wheel_meets_are_loosened(tmp_path: Path, line: str) -> None:
    found = needed(tmp_path, f"{line}\n")
    assert found.lines == ()
    assert line == "sklearn==0.20" or line in said(found, "warning: not to be had")


def test_loosened_pins_of_what_the_image_lacks_take_a_version_that_exists(tmp_path: Path) -> None:
    assert needed(tmp_path, "mlxtend==0.17\nPyYAML==5.1\n").lines == (MLXTEND, "pyyaml")


def test_pins_that_can_be_had_replace_what_the_image_has(tmp_path: Path) -> None:
    found = needed(tmp_path, "pandas==2.2.3\nnumpy>=2.1,<2.3\n")
    assert found.lines == ("numpy<2.3,>=2.1", "pandas==2.2.3")


def test_markers_count_for_the_image_and_not_for_this_machine(tmp_path: Path) -> None:
    text = "a; python_version < '3'\nb; sys_platform == 'win32'\nc; python_version == '3.13'\n"
    assert needed(tmp_path, text).lines == ()
    machine = Machine(python="3.13", suite="trixie")
    assert needed(tmp_path, text, machine=machine).lines == ("c",)


@pytest.mark.parametrize(
    "line", ["nvidia-cudnn-cu12==9", "cupy-cuda12x", "pywin32==300", "tensorflow-metal", "theano"]
)
def test_what_no_cpu_needs_is_left_out(tmp_path: Path, line: str) -> None:
    found = needed(tmp_path, f"{line}\n")
    assert found.lines == ()
    assert line in said(found, "left out")


def test_extras_for_gpus_are_cut_off_and_others_kept(tmp_path: Path) -> None:
    pandas = CATALOG.locked("science", "3.11")["pandas"]
    found = needed(tmp_path, "tensorflow[and-cuda]\npandas[excel]\nthing[cuda,web]>=1\n")
    assert found.lines == (f"pandas[excel]=={pandas}", "thing[web]>=1")


def test_tensorflow_in_another_image_is_the_build_for_cpus(tmp_path: Path) -> None:
    version = CATALOG.locked("keras-tensorflow", "3.11")["tensorflow-cpu"]
    found = needed(tmp_path, "tensorflow==2.4\n", layers=SKLEARN)
    assert found.lines == (f"tensorflow-cpu=={version}",)


@pytest.fixture
def wheelhouse(tmp_path: Path) -> Machine:
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name in (
        "torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl",
        "torch-2.12.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl",
        "torch-2.14.0+cpu-cp313-cp313-manylinux_2_28_x86_64.whl",
        "torch-2.15.0+cu126-cp311-cp311-manylinux_2_28_x86_64.whl",
        "nonsense.whl",
    ):
        (folder / name).touch()
    return Machine("3.11", suite="bookworm", packages=PackageSource(wheelhouses=(folder,)))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("torch", "torch==2.13.0+cpu"),
        ("torch<2.13", "torch==2.12.0+cpu"),
        ("torch==1.8.1", "torch==2.13.0+cpu"),
    ],
)
def test_torch_comes_as_the_wheelhouse_has_it(
    tmp_path: Path, wheelhouse: Machine, line: str, expected: str
) -> None:
    assert needed(tmp_path, f"{line}\n", machine=wheelhouse).lines == (expected,)


def test_without_a_build_for_cpus_torch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="PUSHTRAIN_WHEELHOUSE"):
        needed(tmp_path, "torch\n")
    source = PackageSource(extra=("https://example.org/whl/cpu",))
    machine = Machine("3.11", suite="bookworm", packages=source)
    assert needed(tmp_path, "torch>=2\n", machine=machine).lines == ("torch>=2",)


def test_a_frozen_environment_of_2019_becomes_an_image(tmp_path: Path) -> None:
    frozen = """
absl-py==0.7.1
astor==0.8.0
gast==0.2.2
grpcio==1.22.0
h5py==2.9.0
Keras==2.2.4
Keras-Applications==1.0.8
Markdown==3.1.1
numpy==1.16.4
pandas==0.24.2
Pillow==6.1.0
protobuf==3.9.0
PyYAML==5.1.1
scipy==1.3.0
six==1.12.0
tensorboard==1.14.0
tensorflow==1.14.0
tensorflow-estimator==1.14.0
termcolor==1.1.0
Werkzeug==0.15.5
wrapt==1.11.2
"""
    found = needed(tmp_path, frozen, "keras", "numpy")
    assert found.lines == ("astor==0.8.0", "keras-applications==1.0.8", "pyyaml")
    assert found.lines == needed(tmp_path, frozen).lines
