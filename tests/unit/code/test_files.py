"""Reading files: encodings, links, sizes, notebooks."""

import json
import os
from pathlib import Path

import pytest

from pushtrain.code import Files, Program
from pushtrain.entities import Parsed
from pushtrain.errors import SourceError


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"x = 'a'\n", "x = 'a'\n"),
        ("x = 'é'\n".encode(), "x = 'é'\n"),
        (b"\xef\xbb\xbfx = 1\n", "x = 1\n"),
        (
            "# -*- coding: latin-1 -*-\nx = 'é'\n".encode("latin-1"),
            "# -*- coding: latin-1 -*-\nx = 'é'\n",
        ),
        ("# coding: cp949\nx = '한'\n".encode("cp949"), "# coding: cp949\nx = '한'\n"),
        ("x = 'é'\n".encode("latin-1"), "x = 'é'\n"),
        (b"# coding: no-such-thing\nx = 1\n", "# coding: no-such-thing\nx = 1\n"),
        ("x = 1\n".encode("utf-16"), "x = 1\n"),
        (b"x = 1\r\ny = 2\r", "x = 1\ny = 2\n"),
    ],
)
def test_encodings(tmp_path: Path, content: bytes, text: str) -> None:
    (tmp_path / "a.py").write_bytes(content)
    file = Files(tmp_path).read("a.py")
    assert file.text == text
    assert file.parsed is Parsed.AST


def test_links_that_leave_the_tree_do_not_exist(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "secret.py").write_text("import keras\n")
    (root / "secret.py").symlink_to("../secret.py")
    (root / "loop.py").symlink_to("loop.py")
    (root / "main.py").write_text("import secret, loop\n")
    assert Files(root).scripts() == ("main.py",)
    assert [module.path for module in Program.read(root, "main.py").modules] == ["main.py"]
    with pytest.raises(SourceError, match="no file secret"):
        Files(root).read("secret.py")
    with pytest.raises(SourceError):
        Files(root).read("../secret.py")


def test_what_is_no_script_is_refused(tmp_path: Path) -> None:
    (tmp_path / "big.py").write_bytes(b"#" * (2 * 1024 * 1024 + 1))
    (tmp_path / "directory.py").mkdir()
    os.mkfifo(tmp_path / "pipe.py")
    files = Files(tmp_path)
    for name in ("big.py", "directory.py", "pipe.py", "missing.py", "a\0b.py"):
        with pytest.raises(SourceError):
            files.read(name)


def test_vendored_and_hidden_scripts_are_left_out(tmp_path: Path) -> None:
    for name in ("train.py", ".git/hook.py", "venv/x.py", "my-env/y.py", "src/model.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    (tmp_path / "my-env" / "pyvenv.cfg").write_text("")
    assert Files(tmp_path).scripts() == ("src/model.py", "train.py")


def test_notebooks_give_their_code(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# train"]},
        {"cell_type": "code", "source": ["!pip install x\n", "%matplotlib inline\n", "import a"]},
        {"cell_type": "code", "source": "%%bash\nls"},
        {"cell_type": "code", "source": ["a.b?\n", "a.b()"]},
    ]
    (tmp_path / "n.ipynb").write_text(json.dumps({"cells": cells}))
    (tmp_path / "bad.ipynb").write_text("{")
    files = Files(tmp_path)
    assert files.read("n.ipynb").parsed is Parsed.AST
    assert "a.b()" in files.read("n.ipynb").text
    assert "ls" not in files.read("n.ipynb").text.replace("# ls", "")
    assert files.read("bad.ipynb").text.strip() == ""


def test_nesting_without_end_is_survived(tmp_path: Path) -> None:
    (tmp_path / "deep.py").write_text("x = " + "-" * 50_000 + "1\nimport keras\n")
    (tmp_path / "long.py").write_text("x = " + "+".join("1" * 50_000) + "\n")
    (tmp_path / "calls.py").write_text("x = a" + ".b()" * 20_000 + "\n")
    for name in ("deep.py", "long.py", "calls.py"):
        list(Program.read(tmp_path, name).calls())
