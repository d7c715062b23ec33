"""`[knobs]` in pushtrain.toml: which knobs are turned, and how far."""

from __future__ import annotations

from pathlib import Path

import pytest

from pushtrain.detect import detect
from pushtrain.entities import Choices, Interval, Knob
from pushtrain.errors import KnobError
from pushtrain.knobs import find_knobs
from pushtrain.settings import load_repository

SAMPLE = Path(__file__).parents[3] / "model" / "digits-cnn" / "train.py"


def knobs(folder: Path, settings: str) -> tuple[Knob, ...]:
    (folder / "train.py").write_bytes(SAMPLE.read_bytes())
    (folder / "pushtrain.toml").write_text(settings)
    return find_knobs(folder, detect(folder), load_repository(folder).knobs)


def names(folder: Path, settings: str) -> list[str]:
    return [knob.name for knob in knobs(folder, settings)]


def test_without_settings_all_are_turned(tmp_path: Path) -> None:
    assert len(names(tmp_path, "")) == 12


def test_included_and_excluded_by_name_and_pattern(tmp_path: Path) -> None:
    assert names(tmp_path, '[knobs]\ninclude = ["epochs", "*_block"]') == [
        "epochs",
        "conv2d_block",
        "dense_block",
    ]
    assert names(tmp_path, '[knobs]\ninclude = ["activation*"]\nexclude = ["activation"]') == [
        "activation_2"
    ]


def test_names_stay_when_others_are_excluded(tmp_path: Path) -> None:
    assert "activation_2" in names(tmp_path, '[knobs]\nexclude = ["activation"]')


def test_a_pattern_may_match_nothing(tmp_path: Path) -> None:
    assert len(names(tmp_path, '[knobs]\nexclude = ["lstm*"]')) == 12


def test_ranges(tmp_path: Path) -> None:
    text = """
[knobs.ranges]
units = [16, 128]
activation_2 = ["relu", "gelu"]
"activation*" = ["relu", "tanh"]
epochs = { high = 12, log = false }
"""
    found = {knob.name: knob.range for knob in knobs(tmp_path, text)}
    assert found["units"] == Interval(16, 128, log=True)
    assert found["activation"] == Choices(("relu", "tanh"))
    assert found["activation_2"] == Choices(("relu", "gelu"))
    assert found["epochs"] == Interval(6, 12)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            'include = ["unit"]',
            "[knobs] include: no knob is called unit; did you mean units?",
        ),
        (
            'exclude = ["activation_3"]',
            "[knobs] exclude: no knob is called activation_3; "
            "did you mean activation_2 or activation",
        ),
        ("ranges = { lr = [0.1, 0.2] }", "[knobs] ranges: no knob is called lr; there are: epochs"),
    ],
)
def test_unknown_names_are_refused(tmp_path: Path, settings: str, message: str) -> None:
    with pytest.raises(KnobError) as caught:
        knobs(tmp_path, f"[knobs]\n{settings}")
    assert str(caught.value).startswith(message)
    assert caught.value.exit_code == 2


def test_where_nothing_was_found(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("from sklearn.svm import SVC\nSVC().fit(x, y)\n")
    (tmp_path / "pushtrain.toml").write_text('[knobs]\ninclude = ["C"]')
    with pytest.raises(KnobError, match="no knob was found in the code"):
        find_knobs(tmp_path, detect(tmp_path), load_repository(tmp_path).knobs)
