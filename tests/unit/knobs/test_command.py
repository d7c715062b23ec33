"""`pushtrain knobs`, as its readers see it."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from pushtrain.cli.knobs import command
from pushtrain.errors import KnobError

TRAINS = "from sklearn.svm import SVC\nSVC(C=2, kernel='linear').fit(x, y)\n"


def test_machines_get_a_list(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TRAINS)
    result = CliRunner().invoke(command, [str(tmp_path), "--json"])
    assert result.exit_code == 0
    strength, kernel = json.loads(result.stdout)
    assert strength == {
        "name": "C",
        "kind": "float",
        "file": "train.py",
        "line": 2,
        "column": 6,
        "value": 2.0,
        "range": {"low": 0.02, "high": 200.0, "log": True, "step": 1},
        "api": "sklearn.svm.SVC.C",
    }
    assert kernel["range"] == {"choices": ["linear", "rbf", "poly", "sigmoid"]}


def test_people_get_a_table(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TRAINS)
    lines = CliRunner().invoke(command, [str(tmp_path / "train.py")]).output.splitlines()
    assert lines[0].split() == ["KNOB", "VALUE", "RANGE", "WHERE", "REACHES"]
    assert lines[1].split() == [
        "C",
        "2",
        "0.02",
        "to",
        "200,",
        "log",
        "train.py:2",
        "sklearn.svm.SVC.C",
    ]
    assert "linear, rbf, poly, sigmoid" in lines[2]


def test_the_settings_count(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TRAINS)
    (tmp_path / "pushtrain.toml").write_text('[knobs]\nexclude = ["kernel"]\nranges.C = [1, 10]\n')
    result = CliRunner().invoke(command, [str(tmp_path), "--json"])
    (knob,) = json.loads(result.stdout)
    assert knob["range"] == {"low": 1.0, "high": 10.0, "log": True, "step": 1}
    (tmp_path / "pushtrain.toml").write_text('[knobs]\nexclude = ["kernels"]\n')
    assert isinstance(CliRunner().invoke(command, [str(tmp_path)]).exception, KnobError)


def test_nothing_to_tune_is_said(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("from sklearn.svm import SVC\nSVC().fit(x, y)\n")
    assert "nothing to tune" in CliRunner().invoke(command, [str(tmp_path)]).output
    (tmp_path / "train.py").write_text("print(1)\n")
    result = CliRunner().invoke(command, [str(tmp_path / "train.py")])
    assert "trains nothing" in result.output
    assert CliRunner().invoke(command, [str(tmp_path / "train.py"), "--json"]).stdout == "[]\n"
