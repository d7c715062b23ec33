"""`pushtrain detect`, as its readers see it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from pushtrain.cli.detect import command
from pushtrain.errors import DetectionError

TRAINS = "from sklearn.svm import SVC\nSVC().fit(x, y)\n"


def test_machines_get_one_object(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TRAINS)
    result = CliRunner().invoke(command, [str(tmp_path), "--json"])
    answer = json.loads(result.stdout)
    assert result.exit_code == 0
    assert answer["entry"] == "train.py"
    assert (answer["framework"], answer["family"]) == ("sklearn", "classical")
    assert answer["trains"] is True
    assert answer["parsed"] == "ast"
    assert answer["distributions"] == ["scikit-learn"]
    assert answer["evidence"][0][:2] == ["train.py", 2]
    assert all(len(item) == 3 for item in answer["evidence"])


def test_people_get_reasons(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TRAINS)
    result = CliRunner().invoke(command, [str(tmp_path / "train.py")])
    assert "sklearn, classical" in result.output
    assert "train.py:2" in result.output


def test_the_settings_decide(tmp_path: Path) -> None:
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text(TRAINS)
    result = CliRunner().invoke(command, [str(tmp_path)])
    assert isinstance(result.exception, DetectionError)
    (tmp_path / "pushtrain.toml").write_text('[train]\nentry = "b.py"\n')
    result = CliRunner().invoke(command, [str(tmp_path), "--json"])
    assert json.loads(result.stdout)["entry"] == "b.py"


@pytest.mark.parametrize("name", ["gone", "gone.py"])
def test_a_path_that_is_not_there(tmp_path: Path, name: str) -> None:
    result = CliRunner().invoke(command, [str(tmp_path / name)])
    assert result.exception is not None
    assert getattr(result.exception, "exit_code", None) == 2
