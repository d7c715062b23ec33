"""Files that are not Python 3 still give what can be read in them."""

import ast

import pytest

from pushtrain.code.repair import salvage


def called(text: str) -> dict[str, int]:
    """The plain names that the salvaged tree calls, with their lines."""
    tree = salvage(text)
    nodes = ast.walk(tree) if tree else ()
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    return {node.func.id: node.lineno for node in calls if isinstance(node.func, ast.Name)}


@pytest.mark.parametrize(
    "broken",
    [
        'print "loss", x',
        "print x,",
        "print",
        'print >>f, "x"',
        'if x: print "x"',
        "exec code",
        "raise ValueError, 'x'",
        "try:\n    pass\nexcept Exception, e:\n    pass",
        "x = 0777",
        "x = a <> b",
        "x = `a`",
        "!pip install keras",
        "%matplotlib inline",
        "In[3]:",
        "In [12]: ",
        "model.summary?",
        "if x:\n\ty = 1\n        z = 2",
        "  indented = 1",
        "def f():\n    a = 1\n  b = 2",
        "x = (1,\n",
        "x = 'never ends",
        ")",
        "{{ jinja }}",
        "x = 1 +",
        "for x in y:\n",
        "<<<<<<< HEAD\nx = 1\n=======\nx = 2\n>>>>>>> other",
        ">>> import keras",
        "x = 1\0",
        "\N{NO-BREAK SPACE}x = 1",
    ],
)
def test_the_rest_is_read(broken: str) -> None:
    lines = broken.count("\n") + 1
    found = called(f"before(1)\n{broken}\nafter(1)\n")
    assert found["before"] == 1
    assert found.get("after") == lines + 2


def test_an_unclosed_parenthesis_costs_only_its_own_piece() -> None:
    text = "\n".join(["first(1)", "model.add(Pool((2, 2))", "model.add(Drop(0.25))", "", "last(2)"])
    found = called(text)
    assert {"first", "Drop", "last"} <= set(found)


def test_nothing_readable_gives_nothing() -> None:
    assert called("((((((\n") == {}
    assert called("") == {}
    assert called(")\n#\n") == {}
