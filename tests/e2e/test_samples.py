"""Every sample, from the script as its user wrote it to a model that meets its target."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from e2e.conftest import ROOT, Cli

MODELS = ROOT / "model"

pytestmark = [pytest.mark.engine, pytest.mark.e2e, pytest.mark.timeout(1800)]


def _repository(sample: str, place: Path) -> Path:
    """The sample in a Git repository of its own."""
    place.mkdir()
    for file in (MODELS / sample).iterdir():
        (place / file.name).write_bytes(file.read_bytes())
    identity = ("-c", "user.name=Someone", "-c", "user.email=someone@localhost")
    for command in (
        ("init", "--quiet", "--initial-branch", "main"),
        ("add", "."),
        (*identity, "commit", "--quiet", "--message", "As its user wrote it"),
    ):
        subprocess.run(("git", "-C", place, *command), check=True)
    return place


@pytest.mark.parametrize(
    ("sample", "first", "most_trials"),
    [
        ("digits-cnn", (0.70, 0.85), 30),
        ("digits-rnn", (0.30, 0.75), 20),
        ("wine-mlp", (0.30, 0.79), 20),
        ("cancer-forest", (0.70, 0.90), 20),
        ("mnist-legacy", (0.70, 0.90), 20),
    ],
)
def test_a_sample_reaches_its_target(
    cli: Cli, tmp_path: Path, sample: str, first: tuple[float, float], most_trials: int
) -> None:
    repository = _repository(sample, tmp_path / sample)
    *events, verdict = cli.lines("run", repository)
    assert verdict["met"] is True
    assert verdict["exit_code"] == 0
    assert 1 < verdict["trials"] <= most_trials
    assert verdict["value"] >= verdict["target"]

    results = [event["result"] for event in events if event["event"] == "trial_ended"]
    as_pushed = next(result for result in results if result["number"] == 0)
    assert first[0] <= as_pushed["measurement"]["value"] <= first[1]

    folder = cli.folder(verdict["run"])
    manifest = json.loads((folder / "manifest.json").read_text())
    for artifact in manifest["artifacts"]:
        name = Path(artifact["path"])
        if name.parts[:2] == ("out", "model"):
            content = (folder / "model" / Path(*name.parts[2:])).read_bytes()
            assert artifact["sha256"] == f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert any((folder / "model").iterdir())
    assert (folder / "report/index.html").exists()
    assert (folder / "junit.xml").exists()

    patch = tmp_path / "winner.patch"
    patch.write_text(cli("patch", verdict["run"]))
    subprocess.run(("git", "-C", repository, "apply", patch), check=True)
    difference = subprocess.run(("git", "-C", repository, "diff", "--quiet"), check=False)
    assert difference.returncode == 1


def test_what_was_learnt_is_tried_first_and_a_manifest_reproduces(cli: Cli, tmp_path: Path) -> None:
    repository = _repository("wine-mlp", tmp_path / "wine")
    first = cli.lines("run", repository)[-1]
    (repository / "README.md").write_text("Which grower?\n")
    identity = ("-c", "user.name=Someone", "-c", "user.email=someone@localhost")
    subprocess.run(("git", "-C", repository, "add", "."), check=True)
    subprocess.run(
        ("git", "-C", repository, *identity, "commit", "--quiet", "-m", "A README"), check=True
    )
    second = cli.lines("run", repository)[-1]
    assert (second["met"], second["trials"]) == (True, 1)
    assert second["value"] == first["value"]

    comparison = cli.lines("reproduce", first["run"])[-1]
    assert comparison["reproduced"] is True
    assert comparison["value"] == first["value"]
    assert comparison["same_files"] == {"out/model/model.keras": True}


def test_a_budget_that_is_spent_still_leaves_its_best(cli: Cli, tmp_path: Path) -> None:
    repository = _repository("wine-mlp", tmp_path / "wine")
    verdict = cli.lines("run", repository, "--target", "1.0", "--trials", "2", code=3)[-1]
    assert (verdict["met"], verdict["state"], verdict["trials"]) == (False, "spent", 2)
    assert any((cli.folder(verdict["run"]) / "model").iterdir())


def test_a_script_that_fails_is_told_with_its_line(cli: Cli, tmp_path: Path) -> None:
    script = tmp_path / "broken" / "train.py"
    script.parent.mkdir()
    text = (MODELS / "cancer-forest/classify.py").read_text()
    script.write_text(text.replace("pipeline.fit(X_train, y_train)", "pipeline.fit(X_train)"))
    verdict = cli.lines("run", script.parent, code=1)[-1]
    assert verdict["state"] == "failed"
    assert "train.py:" in verdict["reason"]
    assert "trial 0" in verdict["reason"]
