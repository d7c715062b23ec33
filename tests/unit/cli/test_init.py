"""A repository gets its own pipeline, and keeps the one that it has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pushtrain.ci.definitions import jenkinsfile

Pushtrain = Callable[..., Any]


def test_a_jenkinsfile_is_written_and_may_be_again(pushtrain: Pushtrain, tmp_path: Path) -> None:
    for _ in range(2):
        assert pushtrain("init", str(tmp_path)).code == 0
        assert (tmp_path / "Jenkinsfile").read_text("utf-8") == jenkinsfile()


def test_another_one_is_kept_unless_it_is_forced(pushtrain: Pushtrain, tmp_path: Path) -> None:
    (tmp_path / "Jenkinsfile").write_text("pipeline {}")
    refused = pushtrain("init", str(tmp_path))
    assert refused.code == 2
    assert "--force" in refused.err
    assert (tmp_path / "Jenkinsfile").read_text() == "pipeline {}"
    said = pushtrain("init", str(tmp_path), "--force", "--json")
    assert said.json["written"] == [str(tmp_path / "Jenkinsfile")]
    assert (tmp_path / "Jenkinsfile").read_text("utf-8") == jenkinsfile()
