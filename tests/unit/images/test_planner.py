"""Which image is picked for a detection, and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from pushtrain.errors import ImageError, SettingsError
from pushtrain.images import Catalog, Machine, Planner
from pushtrain.images.indexes import PackageSource
from pushtrain.settings import ImageSettings
from support.plans import MACHINE, detection

PLANNER = Planner(Catalog.load(), MACHINE)
SETTINGS = ImageSettings()


@pytest.mark.parametrize(
    ("framework", "backend", "family", "layers"),
    [
        ("keras", "tensorflow", "cnn", ("base", "science", "keras-tensorflow", "cnn")),
        ("keras", "tensorflow", "autoencoder", ("base", "science", "keras-tensorflow", "cnn")),
        ("keras", "tensorflow", "rnn", ("base", "science", "keras-tensorflow", "rnn")),
        ("keras", "jax", "transformer", ("base", "science", "keras-jax", "rnn")),
        ("keras", "tensorflow", "mlp", ("base", "science", "keras-tensorflow")),
        ("sklearn", None, "classical", ("base", "science", "sklearn")),
        ("sklearn", None, "boosting", ("base", "science", "sklearn")),
    ],
)
def test_layers_follow_from_framework_backend_and_family(
    tmp_path: Path, framework: str, backend: str | None, family: str, layers: tuple[str, ...]
) -> None:
    found = detection(framework=framework, backend=backend, family=family)
    plan = PLANNER.plan(found, SETTINGS, tmp_path)
    assert plan.layers == layers
    assert plan.extra == ()
    assert plan.preload == (framework,)
    assert plan.python == "/opt/venv/bin/python"
    assert [reason.split(":")[0] for reason in plan.reasons][: len(layers)] == list(layers)


def test_an_extra_layer_is_added_only_where_something_is_lacking(tmp_path: Path) -> None:
    plan = PLANNER.plan(detection(distributions=("mlxtend",)), SETTINGS, tmp_path)
    assert plan.layers[-1] == "extra"
    assert plan.extra[0].startswith("mlxtend==")
    assert plan.tag.startswith("pushtrain/keras-tensorflow-cnn-extra:")


def test_the_same_needs_give_the_same_tag(tmp_path: Path) -> None:
    one = PLANNER.plan(detection(distributions=("a", "b")), SETTINGS, tmp_path)
    (tmp_path / "requirements.txt").write_text("# the same\nB\na\n")
    two = PLANNER.plan(detection(entry="other.py"), SETTINGS, tmp_path)
    (tmp_path / "requirements.txt").write_text("a\n")
    three = PLANNER.plan(detection(), SETTINGS, tmp_path)
    assert one.tag == two.tag != three.tag


@pytest.mark.parametrize(
    ("framework", "backend", "named"),
    [("pytorch", None, "pytorch"), ("xgboost", None, "xgboost"), ("keras", "theano", "theano")],
)
def test_frameworks_without_an_image_are_refused_with_those_that_have_one(
    tmp_path: Path, framework: str, backend: str | None, named: str
) -> None:
    with pytest.raises(SettingsError) as refusal:
        PLANNER.plan(detection(framework=framework, backend=backend), SETTINGS, tmp_path)
    assert named in refusal.value.message
    assert "keras on tensorflow" in refusal.value.message
    assert "sklearn" in refusal.value.facts["supported"]  # type: ignore[operator]


def test_code_that_trains_nothing_has_no_image(tmp_path: Path) -> None:
    found = detection(framework="none", family="none", backend=None, trains=False)
    with pytest.raises(SettingsError, match="trains nothing"):
        PLANNER.plan(found, SETTINGS, tmp_path)


def test_keras_on_torch_needs_a_wheel_for_cpus(tmp_path: Path) -> None:
    found = detection(backend="torch", family="mlp")
    with pytest.raises(ImageError, match=r"torch==2.13.0\+cpu is needed"):
        PLANNER.plan(found, SETTINGS, tmp_path)
    name = "torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl"
    (tmp_path / name).write_bytes(b"a wheel")
    source = PackageSource(wheelhouses=(tmp_path,))
    planner = Planner(Catalog.load(), Machine("3.11", suite="bookworm", packages=source))
    plan = planner.plan(found, SETTINGS, tmp_path)
    assert f"wheels/{name}" in planner.recipes(plan)[-1].files


def test_the_python_that_a_repository_asks_for_is_among_the_reasons(tmp_path: Path) -> None:
    (tmp_path / ".python-version").write_text("3.9\n")
    plan = PLANNER.plan(detection(), SETTINGS, tmp_path)
    assert any(reason.startswith("warning: .python-version") for reason in plan.reasons)
