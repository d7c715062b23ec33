"""Which code can run."""

from pathlib import Path

import pytest

from pushtrain.code import Call, Program


def runs(root: Path, text: str, **modules: str) -> bool:
    """Whether the call of `target` can run."""
    (root / "main.py").write_text(text)
    for name, content in modules.items():
        (root / f"{name}.py").write_text(content)
    program = Program.read(root, "main.py")
    scopes = program.reached()
    return any(
        isinstance(call, Call) and call.method == "target" and call.scope in scopes
        for call in program.calls()
    )


@pytest.mark.parametrize(
    "text",
    [
        "target()",
        "if __name__ == '__main__':\n    target()",
        "def f():\n    target()\nf()",
        "def f():\n    target()\ng = f\ng()",
        "def f():\n    target()\nmap(f, x)",
        "def f():\n    g()\ndef g():\n    target()\nf()",
        "class A:\n    def f(self):\n        target()\nA().f()",
        "class A:\n    def __init__(self):\n        target()\nA()",
        "class A(Base):\n    def hook(self):\n        target()\nA()",
        "import click\n@click.command()\ndef f():\n    target()",
        "def f():\n    target()\nglobals()['f']()",
        "class A:\n    x = target()",
        "f = lambda: target()",
        "[target() for x in y]",
        "try:\n    a()\nexcept E:\n    target()",
        "if not x:\n    target()",
    ],
)
def test_code_that_runs(tmp_path: Path, text: str) -> None:
    assert runs(tmp_path, text)


@pytest.mark.parametrize(
    "text",
    [
        "def f():\n    target()",
        "def f():\n    f()\n    target()",
        "if False:\n    target()",
        "if 0:\n    target()\nelse:\n    a()",
        "while False:\n    target()",
        "if __name__ != '__main__':\n    target()",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    target()",
        "import sys\nsys.exit()\ntarget()",
        "class A:\n    def f(self):\n        target()\nA()",
        "class A(Base):\n    def f(self):\n        target()",
        "'target()'",
        "# target()",
        "import tensorflow as tf\n@tf.function\ndef f():\n    target()",
    ],
)
def test_code_that_never_runs(tmp_path: Path, text: str) -> None:
    assert not runs(tmp_path, text)


def test_the_main_guard_of_an_imported_module_is_closed(tmp_path: Path) -> None:
    guarded = "def f():\n    target()\nif __name__ == '__main__':\n    f()"
    assert not runs(tmp_path, "import other", other=guarded)
    assert runs(tmp_path, "import other\nother.f()", other=guarded)
    assert runs(tmp_path, "from other import f as g\ng()", other=guarded)
