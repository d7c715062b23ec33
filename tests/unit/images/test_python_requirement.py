"""What repositories say about their Python, and what is made of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pushtrain.errors import ImageError
from pushtrain.images.python_requirement import check

PROJECT = '[project]\nname = "x"\nrequires-python = "{}"\n'


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("pyproject.toml", PROJECT.format(">=3.9"), "Python 3.11 is what pyproject.toml asks for"),
        ("pyproject.toml", PROJECT.format(">=3.6,<3.9"), "warning: pyproject.toml asks for"),
        ("pyproject.toml", PROJECT.format("three"), "says nothing"),
        ("setup.cfg", "[options]\npython_requires = >=3.8\n", "Python 3.11 is what setup.cfg"),
        (".python-version", "3.11.4\n", "Python 3.11 is what .python-version"),
        (".python-version", "3.12.1\n", "warning: .python-version asks for Python ==3.12.*"),
        ("runtime.txt", "python-3.7.3", "warning: runtime.txt asks for Python ==3.7.*"),
    ],
)
def test_what_fits_and_what_does_not_is_said(
    tmp_path: Path, file: str, text: str, said: str
) -> None:
    (tmp_path / file).write_text(text)
    assert [said in sentence for sentence in check(tmp_path, "3.11")] == [True]


@pytest.mark.parametrize("specifier", [">=3.12", ">3.12", "~=3.12.0", "==3.12.*", ">=3.13,<4"])
def test_a_newer_python_is_refused_with_the_way_out(tmp_path: Path, specifier: str) -> None:
    (tmp_path / "pyproject.toml").write_text(PROJECT.format(specifier))
    with pytest.raises(ImageError, match="BASE_IMAGE") as refusal:
        check(tmp_path, "3.11")
    assert refusal.value.facts == {"python": "3.11", "required": specifier}


@pytest.mark.parametrize("text", ["[project", "project = 3", PROJECT.replace('"{}"', "3")])
def test_files_that_make_no_sense_say_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    (tmp_path / "setup.cfg").write_text(text)
    (tmp_path / ".python-version").write_text("myenv\n")
    assert check(tmp_path, "3.11") == ()
