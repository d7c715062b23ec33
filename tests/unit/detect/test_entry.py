"""Which script of a tree is the entry, and what settings override."""

from pathlib import Path

import pytest

from pushtrain.detect import detect
from pushtrain.errors import DetectionError, SourceError
from pushtrain.settings import TrainSettings

TRAINS = "from sklearn.svm import SVC\nSVC().fit(x, y)\n"
DEFINES = "from sklearn.svm import SVC\ndef train():\n    SVC().fit(x, y)\n"
GUARDED = DEFINES + "if __name__ == '__main__':\n    train()\n"


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "entry", "reason"),
    [
        ({"a.py": TRAINS}, "a.py", "only script"),
        ({"a.py": TRAINS, "b.py": "print()"}, "a.py", "only script that trains"),
        ({"mail.py": "import smtplib", "x/y.py": TRAINS}, "x/y.py", "only script that trains"),
        ({"go.py": "import m\nm.train()", "m.py": GUARDED}, "go.py", "imports"),
        ({"go.py": "import m\nm.train()", "m.py": DEFINES}, "go.py", "only script that trains"),
        ({"a.py": TRAINS, "n.ipynb": '{"cells": []}'}, "a.py", "only script that trains"),
        ({"a.py": TRAINS, "tests/test_a.py": TRAINS}, "a.py", "main directories"),
        ({"a.py": TRAINS, "sub/b.py": TRAINS}, "a.py", "nearest to the top"),
        ({"train.py": TRAINS, "compare.py": TRAINS}, "train.py", "usual name"),
        ({"main.py": "", "tool.py": DEFINES}, "tool.py", "nothing in the tree trains"),
        ({"a.py": TRAINS, "big.py": "#" * 2_100_000}, "a.py", "only script"),
        ({"a.py": "", "main.py": ""}, "main.py", "nothing in the tree trains"),
    ],
)
def test_the_clear_one_is_chosen(
    tmp_path: Path, files: dict[str, str], entry: str, reason: str
) -> None:
    detection = detect(write(tmp_path, files))
    assert detection.entry == entry
    assert reason in detection.reason


def test_several_are_named_with_the_setting(tmp_path: Path) -> None:
    write(tmp_path, {"b.py": TRAINS, "a.py": TRAINS, "mail.py": ""})
    with pytest.raises(DetectionError) as caught:
        detect(tmp_path)
    assert caught.value.exit_code == 2
    assert caught.value.facts["candidates"] == ["a.py", "b.py"]
    assert '[train] entry = "a.py"' in caught.value.hint
    assert detect(tmp_path, TrainSettings(entry="b.py")).entry == "b.py"


def test_no_script_at_all(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("keras")
    with pytest.raises(DetectionError, match="no Python script"):
        detect(tmp_path)


@pytest.mark.parametrize("entry", ["gone.py", "../outside.py", "/etc/hostname", "sub"])
def test_a_stated_entry_must_be_there(tmp_path: Path, entry: str) -> None:
    write(tmp_path / "tree", {"a.py": TRAINS, "sub/b.py": ""})
    (tmp_path / "outside.py").write_text(TRAINS)
    with pytest.raises(SourceError):
        detect(tmp_path / "tree", TrainSettings(entry=entry))


def test_a_missing_path(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        detect(tmp_path / "gone")


def test_settings_win_over_what_is_read(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": "import keras\nm = keras.Sequential()\nm.fit(x, y)\n"})
    stated = TrainSettings(family="rnn", backend="jax")
    detection = detect(tmp_path, stated)
    assert (detection.framework, detection.family, detection.backend) == ("keras", "rnn", "jax")
    assert {"keras", "jax"} <= set(detection.distributions)
    nothing = detect(tmp_path, TrainSettings(framework="none", family="none"))
    assert not nothing.trains
    assert nothing.backend is None


def test_a_stated_framework_needs_its_backend(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": "import keras\n"})
    detection = detect(tmp_path, TrainSettings(framework="keras"))
    assert (detection.trains, detection.backend) == (True, "tensorflow")


@pytest.mark.parametrize(
    ("text", "files", "backend"),
    [
        ("import keras\n", {}, "tensorflow"),
        ("import os\nos.environ['KERAS_BACKEND'] = 'jax'\nimport keras\n", {}, "jax"),
        ("import os\nos.environ.setdefault('KERAS_BACKEND', 'torch')\nimport keras\n", {}, "torch"),
        ("import os\nB = 'jax'\nos.environ['KERAS_BACKEND'] = B\nimport keras\n", {}, "jax"),
        ("import keras\n", {".keras/keras.json": '{"backend": "jax"}'}, "jax"),
        ("import keras\n", {".keras/keras.json": "[]"}, "tensorflow"),
        ("# os.environ['KERAS_BACKEND'] = 'jax'\nimport keras\n", {}, "tensorflow"),
        (
            "from tensorflow import keras\n",
            {".keras/keras.json": '{"backend": "jax"}'},
            "tensorflow",
        ),
        ("import os\nos.environ['KERAS_BACKEND'] = 'theano'\nimport keras\n", {}, "tensorflow"),
    ],
)
def test_the_backend(tmp_path: Path, text: str, files: dict[str, str], backend: str) -> None:
    fit = "m = keras.Sequential([keras.layers.Dense(1)])\nm.fit(x, y)\n"
    detection = detect(write(tmp_path, {"a.py": text + fit, **files}))
    assert detection.backend == backend
    assert backend in detection.distributions
