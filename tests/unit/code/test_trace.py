"""Which literals an argument can reach."""

import ast
from pathlib import Path

import pytest

from pushtrain.code import Program


def reached(root: Path, text: str) -> list[object]:
    """The literals that the first argument of `use` reaches."""
    (root / "main.py").write_text(text, encoding="utf-8")
    program = Program.read(root, "main.py")
    call = next(call for call in program.calls() if call.method == "use")
    argument = call.argument("value", 0)
    assert argument is not None
    return [ast.literal_eval(literal.node) for literal in program.literals(argument)]


PARSER = "import argparse\np = argparse.ArgumentParser()\n"


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("use(3)", [3]),
        ("use(-3)", [-3]),
        ("use(value=0.5)", [0.5]),
        ("N = 3\nuse(N)", [3]),
        ("N: int = 3\nuse(N)", [3]),
        ("A, B = 3, 4\nuse(B)", [4]),
        ("A = B = 3\nuse(A)", [3]),
        ("N = 3\nM = N\nuse(M)", [3]),
        ("N = 3\nN += 1\nuse(N)", []),
        ("N = 3\nN = 4\nuse(N)", [4]),
        ("N = 3\nif x:\n    N = 4\nuse(N)", [3, 4]),
        ("class C:\n    N = 3\nuse(C.N)", [3]),
        ("c = {'n': 3, 'm': 4}\nuse(c['n'])", [3]),
        ("def f(n=3):\n    use(n)\nf()", [3]),
        ("def f(n=3):\n    use(n)\nf(4)", [4]),
        ("def f(n=3):\n    use(n)\nf(4)\nf()", [4, 3]),
        ("def f(a, *, n):\n    use(n)\nf(1, n=5)", [5]),
        ("def f(n):\n    use(n)\nf(*x)", []),
        ("def f(n=3):\n    def g():\n        use(n)\n    g()\nf()", [3]),
        (PARSER + "p.add_argument('--lr', default=0.1)\na = p.parse_args()\nuse(a.lr)", [0.1]),
        (
            PARSER + "p.add_argument('-b', '--batch-size', default=8)\na = p.parse_args()\n"
            "use(a.batch_size)",
            [8],
        ),
        (
            PARSER + "p.add_argument('-e', dest='epochs', default=8)\na = p.parse_args()\n"
            "use(a.epochs)",
            [8],
        ),
        (
            PARSER + "p.add_argument('--lr', default=0.1)\na, _ = p.parse_known_args()\nuse(a.lr)",
            [0.1],
        ),
        (
            PARSER + "L = 0.1\np.add_argument('--lr', default=L)\n"
            "def main(a):\n    use(a.lr)\nmain(p.parse_args())",
            [0.1],
        ),
    ],
)
def test_literals_are_traced(tmp_path: Path, text: str, values: list[object]) -> None:
    assert reached(tmp_path, text) == values


def test_a_constant_of_another_module(tmp_path: Path) -> None:
    (tmp_path / "config.py").write_text("LR = 0.1\n")
    assert reached(tmp_path, "import config\nuse(config.LR)") == [0.1]
