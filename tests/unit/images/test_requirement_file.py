"""Requirements files as people write them, and as tools write them for people."""

from __future__ import annotations

from pathlib import Path

import pytest

from pushtrain.errors import SettingsError
from pushtrain.images.requirement_file import find, read


def names(root: Path, text: str | bytes) -> list[str]:
    raw = text.encode() if isinstance(text, str) else text
    (root / "requirements.txt").write_bytes(raw)
    return [str(one.requirement) for one in read(root, "requirements.txt").written]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("numpy\n# a comment\n\npandas>=1  # another\n", ["numpy", "pandas>=1"]),
        ("a\\\n ==1.0 \\\n --hash=sha256:00 --hash=sha256:11\nb", ["a==1.0", "b"]),
        ("Keras==2.2.4\r\nh5py==2.9.0\r\n", ["Keras==2.2.4", "h5py==2.9.0"]),
        ('x; python_version < "3"\n', ['x; python_version < "3"']),
        ("jax[cuda12]==0.4\n", ["jax[cuda12]==0.4"]),
        ("numpy\n".encode("utf-16"), ["numpy"]),
        (b"\xef\xbb\xbfnumpy\n", ["numpy"]),
        ("a#b\n".replace("#", " #"), ["a"]),
    ],
)
def test_plain_lines_count(tmp_path: Path, text: str | bytes, expected: list[str]) -> None:
    assert names(tmp_path, text) == expected


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("-i https://evil.example/simple", "-i is left out"),
        ("--extra-index-url=https://evil.example/simple", "--extra-index-url is left out"),
        ("--find-links /home/me", "--find-links is left out"),
        ("--trusted-host evil.example", "--trusted-host is left out"),
        ("-e .", "its own tree"),
        ("-e .[dev]", "its own tree"),
        (".", "its own tree"),
        ("./libs/mine", "its own tree"),
    ],
)
def test_where_packages_come_from_is_not_for_the_file_to_say(
    tmp_path: Path, line: str, said: str
) -> None:
    (tmp_path / "requirements.txt").write_text(f"numpy\n{line}\n")
    file = read(tmp_path, "requirements.txt")
    assert [one.requirement.name for one in file.written] == ["numpy"]
    assert len(file.notes) == 1
    assert said in file.notes[0]
    assert file.notes[0].startswith("requirements.txt:2: ")


@pytest.mark.parametrize(
    "line",
    [
        "git+https://example.org/a.git",
        "-e git+https://example.org/a.git#egg=a",
        "a @ https://example.org/a.whl",
        "https://example.org/a.whl",
        "tensorflow=2.1.0=gpu",
        "numpy 1.16",
        "numpy>=",
    ],
)
def test_anything_else_is_refused_with_its_place(tmp_path: Path, line: str) -> None:
    (tmp_path / "requirements.txt").write_text(f"\n{line}\n")
    with pytest.raises(SettingsError) as refusal:
        read(tmp_path, "requirements.txt")
    assert refusal.value.facts["place"] == "requirements.txt:2"


def test_a_password_in_a_refused_line_is_not_repeated(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("a @ https://me:secret@example.org/a.whl\n")
    with pytest.raises(SettingsError) as refusal:
        read(tmp_path, "requirements.txt")
    assert "secret" not in str(refusal.value)


def test_files_of_the_machine_that_froze_the_list_become_plain_names(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("Certifi @ file:///croot/certifi_1/certifi\n")
    file = read(tmp_path, "requirements.txt")
    assert [str(one.requirement) for one in file.written] == ["certifi"]
    assert "any version" in file.notes[0]


def test_included_files_are_read_once_from_where_they_are_included(tmp_path: Path) -> None:
    (tmp_path / "req").mkdir()
    (tmp_path / "requirements.txt").write_text("-r req/base.txt\nb\n")
    (tmp_path / "req/base.txt").write_text("a\n-r more.txt\n--requirement ../requirements.txt\n")
    (tmp_path / "req/more.txt").write_text("c\n")
    file = read(tmp_path, "requirements.txt")
    assert [one.place for one in file.written] == [
        "req/base.txt:1",
        "req/more.txt:1",
        "requirements.txt:2",
    ]


@pytest.mark.parametrize("path", ["../outside.txt", "link.txt", "/etc/passwd", "none.txt", "dir"])
def test_nothing_outside_the_tree_is_read(tmp_path: Path, path: str) -> None:
    root = tmp_path / "tree"
    (root / "dir").mkdir(parents=True)
    (tmp_path / "outside.txt").write_text("secret\n")
    (root / "link.txt").symlink_to(tmp_path / "outside.txt")
    (root / "requirements.txt").write_text(f"-r {path}\n")
    with pytest.raises(SettingsError, match=r"requirements.txt:1"):
        read(root, "requirements.txt")


def test_the_file_nearest_to_the_script_belongs_to_it(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    assert find(tmp_path, "a/b/train.py") is None
    (tmp_path / "requirements.txt").touch()
    assert find(tmp_path, "a/b/train.py") == "requirements.txt"
    (tmp_path / "a/requirements.txt").touch()
    assert find(tmp_path, "a/b/train.py") == "a/requirements.txt"
    assert find(tmp_path, "train.py") == "requirements.txt"
