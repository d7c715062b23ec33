"""What is a knob and what is left alone, in programs as users write them.

Each program in `scripts/` says at the end of a line, after `#:`, which knobs stand in it; on all
other lines there must be none.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

from pushtrain.detect import detect
from pushtrain.entities import Interval, Knob, KnobKind
from pushtrain.knobs import SourceRewriter, find_knobs
from pushtrain.settings import KnobSettings

SCRIPTS = sorted(Path(__file__).with_name("scripts").glob("*.py"))
SAMPLES = Path(__file__).parents[3] / "model"


def knobs_of(path: Path) -> tuple[Knob, ...]:
    root = path if path.is_dir() else path.parent
    return find_knobs(root, detect(path), KnobSettings())


def expected(script: Path) -> list[tuple[int, str]]:
    found = []
    for number, line in enumerate(script.read_text("utf-8").split("\n"), 1):
        found += [(number, name) for name in line.partition("  #: ")[2].split()]
    return found


def test_there_are_many() -> None:
    assert len(SCRIPTS) >= 50


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_knobs_stand_where_the_script_says(script: Path, tmp_path: Path) -> None:
    shutil.copy(script, tmp_path / "train.py")
    knobs = knobs_of(tmp_path / "train.py")
    counts: Counter[str] = Counter()
    wanted = []
    for line, name in expected(script):
        counts[name] += 1
        wanted.append((line, name if counts[name] == 1 else f"{name}_{counts[name]}"))
    assert [(knob.line, knob.name) for knob in knobs] == wanted
    assert all(isinstance(k.range, Interval) or k.value in k.range.choices for k in knobs)
    for knob in knobs:
        if isinstance(knob.range, Interval):
            assert isinstance(knob.value, int | float)
            assert knob.range.low <= knob.value <= knob.range.high
    values = {knob.name: knob.value for knob in knobs}
    assert SourceRewriter(tmp_path, knobs)(values) == {}


@pytest.mark.parametrize(
    ("sample", "names"),
    [
        (
            "digits-cnn",
            "epochs batch_size learning_rate conv2d_block filters kernel_size activation"
            " dense_block units activation_2 dropout optimizer",
        ),
        ("digits-rnn", "lstm_block units dropout optimizer learning_rate batch_size epochs"),
        ("wine-mlp", "units learning_rate epochs batch_size dense_block activation optimizer"),
        ("cancer-forest", "n_estimators max_depth n_components min_samples_leaf"),
        (
            "mnist-legacy",
            "batch_size epochs filters activation dropout dense_block units activation_2 dropout_2"
            " learning_rate decay momentum nesterov",
        ),
    ],
)
def test_the_samples(sample: str, names: str) -> None:
    assert [knob.name for knob in knobs_of(SAMPLES / sample)] == names.split()


def test_a_knob_says_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        "from sklearn.ensemble import RandomForestClassifier as RFC\n"
        "RFC(n_estimators=10).fit(x, y)\n"
    )
    (knob,) = knobs_of(tmp_path)
    assert knob == Knob(
        name="n_estimators",
        kind=KnobKind.INTEGER,
        file="a.py",
        line=2,
        column=17,
        value=10,
        range=Interval(5, 300, log=True),
        api="sklearn.ensemble.RandomForestClassifier.n_estimators",
    )


def test_columns_count_characters(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        'from sklearn.svm import SVC\n"é😀"; SVC(C=2.0).fit(x, y)\n', encoding="utf-8"
    )
    (knob,) = knobs_of(tmp_path)
    assert (knob.line, knob.column) == (2, 12)


def test_other_modules_of_the_program(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "__init__.py").touch()
    (tmp_path / "net" / "config.py").write_text(
        "EPOCHS = 3\nCLASSES = 10\nRATE = 0.01\nWIDTH = 32\n"
    )
    (tmp_path / "net" / "model.py").write_text(
        "from tensorflow import keras\nfrom . import config as cfg\n"
        "def build(units):\n"
        "    m = keras.Sequential()\n"
        "    m.add(keras.layers.Dense(units, activation='relu'))\n"
        "    m.add(keras.layers.Dense(cfg.CLASSES))\n"
        "    m.compile(keras.optimizers.Adam(cfg.RATE), 'mse')\n"
        "    return m\n"
    )
    (tmp_path / "main.py").write_text(
        "from net.model import build\nfrom net.config import *\n"
        "model = build(WIDTH)\nmodel.fit(x, y, epochs=EPOCHS)\n"
    )
    knobs = {(knob.file, knob.line, knob.name) for knob in knobs_of(tmp_path)}
    assert knobs == {
        ("net/config.py", 1, "epochs"),
        ("net/config.py", 3, "learning_rate"),
        ("net/config.py", 4, "units"),
        ("net/model.py", 5, "activation"),
        ("net/model.py", 5, "dense_block"),
        ("net/model.py", 7, "optimizer"),
    }


@pytest.mark.parametrize(
    "text",
    [
        "print 'hello'\nfrom sklearn.svm import SVC\nSVC(C=2.0).fit(x, y)\n",
        "import os\nprint(os.name)\n",
    ],
    ids=["not Python 3", "trains nothing"],
)
def test_programs_without_knobs(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.py").write_text(text)
    assert knobs_of(tmp_path / "a.py") == ()


def test_the_same_program_gives_the_same_knobs() -> None:
    assert knobs_of(SAMPLES / "digits-cnn") == knobs_of(SAMPLES / "digits-cnn")


def test_names_are_numbered_by_place_and_not_by_value(tmp_path: Path) -> None:
    text = (SAMPLES / "digits-cnn" / "train.py").read_text()
    names = [(k.name, k.api, k.kind) for k in knobs_of(SAMPLES / "digits-cnn")]
    (tmp_path / "train.py").write_text("# a new comment\n" + re.sub(r"Dense\(32", "Dense(64", text))
    assert [(k.name, k.api, k.kind) for k in knobs_of(tmp_path)] == names
