"""A repository gets its own pipeline, and keeps the one that it has."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from pushtrain.ci.definitions import jenkinsfile
from pushtrain.cli.init import command
from pushtrain.errors import UsageError


def test_a_jenkinsfile_is_written_and_may_be_again(tmp_path: Path) -> None:
    for _ in range(2):
        result = CliRunner().invoke(command, [str(tmp_path)])
        assert result.exit_code == 0
        assert (tmp_path / "Jenkinsfile").read_text("utf-8") == jenkinsfile()


def test_another_one_is_kept_unless_it_is_forced(tmp_path: Path) -> None:
    (tmp_path / "Jenkinsfile").write_text("pipeline {}")
    refused = CliRunner().invoke(command, [str(tmp_path)])
    assert isinstance(refused.exception, UsageError)
    assert (tmp_path / "Jenkinsfile").read_text() == "pipeline {}"
    assert CliRunner().invoke(command, [str(tmp_path), "--force"]).exit_code == 0
    assert (tmp_path / "Jenkinsfile").read_text("utf-8") == jenkinsfile()
