"""What a model came from, written and read again."""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushtrain.entities import Measurement, Push, Role, RunState
from pushtrain.errors import UsageError
from pushtrain.manifest import Manifest, read_manifest, write_manifest
from pushtrain.record import RunRecord
from support import records

CHANGED = {"train.py": b"EPOCHS = 24\n"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "source").mkdir()
    return tmp_path


def written(record: RunRecord, folder: Path) -> Manifest:
    return read_manifest(write_manifest(record, folder, CHANGED))


def test_everything_that_is_needed_to_train_it_again(folder: Path) -> None:
    (folder / "source" / "pushtrain.toml").write_text(
        '[train]\nargs = ["--fast"]\nworkdir = "src"\nenv = { MODE = "x" }\n'
    )
    record = replace(records.run(), data_directories={"/data/cats": "sha256:" + "aa" * 32})
    manifest = written(record, folder)
    assert manifest.source.commit == records.PUSH.commit
    assert manifest.source.repository == records.PUSH.repository
    assert manifest.data.fingerprint == "sha256:" + "cd" * 32
    assert manifest.data.directories == record.data_directories
    assert manifest.image.id == "sha256:" + "ef" * 32
    assert manifest.image.layers == ("base", "keras-tensorflow", "cnn")
    training = manifest.training
    assert (training.entry, training.args, training.workdir) == ("train.py", ("--fast",), "src")
    assert training.environment == {"MODE": "x"}
    assert manifest.values == {"EPOCHS": 24, "LEARNING_RATE": 0.0042}
    assert manifest.changed == {
        "train.py": f"sha256:{hashlib.sha256(CHANGED['train.py']).hexdigest()}"
    }
    assert (manifest.trial.number, manifest.trial.seed) == (2, 0)
    assert manifest.trial.metric is not None and manifest.trial.metric.value == 0.9822
    assert manifest.as_objective() == records.ACCURACY
    assert manifest.versions["tensorflow"] == "2.21.0"
    assert manifest.artifacts[0].path == "model/model.keras"
    assert manifest.pushtrain == record.version


def test_the_same_run_gives_the_same_bytes(folder: Path) -> None:
    first = write_manifest(records.run(), folder, CHANGED).read_bytes()
    assert write_manifest(records.run(), folder, CHANGED).read_bytes() == first
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", "source"]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_values_come_back_exactly(value: float) -> None:
    measurement = Measurement("accuracy", value, Role.HELD_OUT, "here")
    trial = records.trial(0, 0.99, measurement=measurement, measurements=(measurement,))
    best = replace(records.run([trial]), verdict=None)
    with tempfile.TemporaryDirectory() as folder:
        manifest = written(best, Path(folder))
    assert manifest.trial.metric is not None and manifest.trial.metric.value == value


def test_what_json_cannot_hold_is_left_out(folder: Path) -> None:
    good = Measurement("accuracy", 0.99, Role.HELD_OUT, "here")
    bad = Measurement("loss", math.nan, Role.HELD_OUT, "here")
    trial = records.trial(0, 0.99, measurement=good, measurements=(good, bad))
    path = write_manifest(records.run([trial]), folder, {})
    assert "NaN" not in path.read_text()
    assert [m.metric for m in read_manifest(path).trial.metrics] == ["accuracy"]


def test_the_kinds_of_knob_values_come_back_as_they_were(folder: Path) -> None:
    values: dict[str, bool | int | float | str] = {"a": True, "b": 1, "c": 1.0, "d": "1"}
    knobs = tuple(replace(records.KNOBS[0], name=name, value="pushed") for name in values)
    manifest = written(records.run([records.trial(1, 0.99, values=values)], knobs=knobs), folder)
    assert {n: (type(v), v) for n, v in manifest.values.items()} == {
        n: (type(v), v) for n, v in values.items()
    }


def test_credentials_stay_out(folder: Path) -> None:
    push = Push("https://ada:s3cret@git.example.org/a.git", "ab" * 20)
    assert "s3cret" not in write_manifest(records.run(push=push), folder, {}).read_text()


def test_without_a_best_trial_there_is_nothing_to_reproduce(folder: Path) -> None:
    with pytest.raises(ValueError, match="nothing to reproduce"):
        write_manifest(records.run([], state=RunState.FAILED), folder, {})
    with pytest.raises(UsageError, match="does not exist"):
        read_manifest(folder / "manifest.json")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"schema_version": 2}, "schema version 2"),
        ({"surprise": 1}, "surprise"),
        ({"trial": None}, "trial"),
        ({"changed": {"train.py": "sha256:nonsense"}}, "changed.train.py"),
    ],
)
def test_a_manifest_that_is_wrong_says_where(
    change: dict[str, object], says: str, folder: Path
) -> None:
    path = write_manifest(records.run(), folder, CHANGED)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(UsageError, match=says):
        read_manifest(path)


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b"{" * 100_000, b'{"schema_version": 1}'])
def test_what_is_no_manifest_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="no manifest"):
        read_manifest(path)
