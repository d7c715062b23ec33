"""Small unmodified scripts through the real adapters: what is captured, and that nothing changes.

What must be captured of a script stands in its own comments; see support/adapted.py.
"""

from __future__ import annotations

import math
import os
import re
from typing import Any

import pytest

from pushtrain.assembly import Assembly
from pushtrain.detect import detect
from pushtrain.engine.connection import Connection
from pushtrain.settings import load_repository
from support import adapted
from support.adapted import ROOT, Script

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("adapters"), pytest.mark.timeout(2400)]

Results = dict[str, dict[str, Any]]
SCRIPTS = [pytest.param(script, id=script.name) for script in adapted.scripts()]
SAMPLES = [pytest.param(script, id=script.path.parent.name) for script in adapted.samples()]


@pytest.fixture(scope="session")
def results(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, run_id: str
) -> Results:
    """All scripts, run once, in the image of the sample that needs most."""
    folder = tmp_path_factory.mktemp("adapted")
    if python := os.environ.get("PUSHTRAIN_TEST_PYTHON"):
        return adapted.run_beside(python, folder)
    request.getfixturevalue("engine")  # sees to it that nothing is left
    root = ROOT / "model" / "mnist-legacy"
    assembly = Assembly.from_environment()
    settings = load_repository(root)
    plan = assembly.plan_image(detect(root, settings.train), settings.image, root)
    image = assembly.build_image(plan, print)
    connection: Connection = request.getfixturevalue("connection")
    return adapted.run_in_container(connection, image.id, run_id, folder)


@pytest.mark.parametrize("script", SCRIPTS)
def test_what_is_captured(script: Script, results: Results) -> None:
    result, expected = results[script.name], script.expected
    error = result["error"]
    assert (error["type"] if error else "") == expected.get("fails", ""), error
    assert adapted.told(result) == script.measured
    assert all(math.isfinite(one["value"]) for one in result["measurements"])
    assert len(result["epochs"]) == int(expected.get("epochs", 0))
    assert (result["model"] or {}).get("format", "none") == expected["model"]
    if result["model"]:
        assert result["model"]["path"] in result["files"]
    if "confusion" in expected:
        assert _classes(result["confusion"], expected["confusion"]) == expected["confusion"]
    wanted = expected.get("notes")
    assert all(wanted and note.startswith(wanted) for note in result["notes"])
    assert len(result["notes"]) == bool(wanted)


@pytest.mark.parametrize("script", [p for p in SCRIPTS if "compare" in p.values[0].expected])
def test_the_script_prints_what_it_prints_without_us(script: Script, results: Results) -> None:
    bare = results[f"{script.name}.bare"]
    assert bare["measurements"] == []
    assert adapted.plain(results[script.name]["output"]) == adapted.plain(bare["output"])


@pytest.mark.parametrize("script", [p for p in SCRIPTS if "twice" in p.values[0].expected])
def test_the_same_seed_gives_the_same_values(script: Script, results: Results) -> None:
    once, again = results[script.name], results[f"{script.name}.twice"]
    assert once["measurements"] == again["measurements"]
    assert [one["metrics"] for one in once["epochs"]] == [one["metrics"] for one in again["epochs"]]


@pytest.mark.parametrize("script", SAMPLES)
def test_the_samples(script: Script, results: Results) -> None:
    name = script.path.parent.name
    result, bare = results[name], results[f"{name}.bare"]
    assert result["error"] is None
    assert result["notes"] == []
    assert adapted.plain(result["output"]) == adapted.plain(bare["output"])
    found = [one for one in result["measurements"] if one["metric"] == "accuracy"][-1]
    assert found["role"] == ("validation" if "rnn" in name or "mnist" in name else "held-out")
    printed = re.findall(r"ccuracy.{1,30}?(\d\.\d+)", result["output"])
    assert float(printed[-1]) == pytest.approx(found["value"], abs=0.0006)
    assert result["model"]
    assert result["confusion"]
    assert result["parameters"]


def test_values_are_those_that_the_script_got(results: Results) -> None:
    result = results["keras_arrays"]
    got = re.findall(r"^\[([\d.]+), ([\d.]+)\]$", result["output"], re.M)
    values = [one["value"] for one in result["measurements"] if one["metric"] == "accuracy"]
    assert values == [float(accuracy) for _, accuracy in got]


def test_an_epoch_has_its_metrics_and_its_time(results: Results) -> None:
    first = results["keras_validation_data"]["epochs"][0]
    assert set(first["metrics"]) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert first["seconds"] > 0
    assert results["keras_validation_data"]["seconds"]["fit"] > first["seconds"]


def test_parameters_say_how_it_was_trained(results: Results) -> None:
    keras = results["keras_arrays"]["parameters"]["keras"]
    assert (keras["epochs"], keras["batch_size"], keras["learning_rate"]) == (3, 32, 0.001)
    assert [layer["class"] for layer in keras["layers"]] == ["InputLayer", "Dense", "Dense"]
    sklearn = results["sklearn_forest"]["parameters"]["sklearn"]
    assert sklearn["parameters"]["randomforestclassifier__n_estimators"] == 5
    assert results["sklearn_forest"]["versions"]["scikit-learn"]


def _classes(confusion: dict[str, Any] | None, expected: str) -> str:
    if not confusion:
        return "none"
    return str(len(confusion["labels"])) if expected.isdigit() else " ".join(confusion["labels"])
