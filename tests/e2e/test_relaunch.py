"""A run that lacks something gets it, through the command line and with real images."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from e2e.conftest import Cli

pytestmark = [pytest.mark.engine, pytest.mark.e2e, pytest.mark.timeout(900)]

SCRIPT = """
import importlib
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

numbers = importlib.import_module("human" + "ize")  # which nobody can read from the code
x, y = load_wine(return_X_y=True)
train_x, test_x, train_y, test_y = train_test_split(x, y, random_state=1)
model = RandomForestClassifier(n_estimators=20, random_state=1).fit(train_x, train_y)
print(numbers.ordinal(1), model.score(test_x, test_y))
"""


def test_a_module_that_the_image_lacks_is_added_once(cli: Cli, tmp_path: Path) -> None:
    source = tmp_path / "forest"
    source.mkdir()
    (source / "train.py").write_text(dedent(SCRIPT))
    verdict = cli.lines("run", source, "--target", "0.8", "--trials", "1")[-1]
    assert (verdict["state"], verdict["trials"]) == ("met", 1)
    shown = cli.lines("show", "last")[-1]
    assert "humanize" in str(shown)
    log = cli("logs", "last", "0")
    assert "1st" in log
