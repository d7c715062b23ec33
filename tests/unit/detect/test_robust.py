"""Whatever is pushed: an answer or one of our own errors, never anything else."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pushtrain.detect import detect
from pushtrain.entities import Parsed
from pushtrain.errors import DetectionError, SourceError

FRAGMENTS = st.sampled_from(
    [
        "import keras",
        "from keras import *",
        "from . import a",
        "import script",
        "m = m",
        "m = keras.Sequential()",
        "m.fit(x, epochs=1)",
        "class A(A):",
        "class B(keras.Model):",
        "def f(x=f):",
        "    return f(x)",
        "    self.x = x",
        "f(f)(f)",
        "if x:",
        "    pass",
        "for m in [m]:",
        "try:",
        "except:",
        "print m",
        "\tx = 1",
        "!ls",
        "%%bash",
        "In[1]:",
        "'''",
        "(",
        ")",
        "lambda x: x",
        "[x for x in x]",
        "x, *y = z",
        "global m",
        "async def g():",
        "    yield x",
        "x: int",
        "@f",
        "with m as m:",
        "match x:",
        "    case 1:",
        "\0",
        "é",
        "from sklearn.pipeline import make_pipeline as p",
        "p(p(p)).fit(p)",
        "import a.b as c",
    ]
)


def outcome(path: Path) -> None:
    try:
        detection = detect(path)
    except (DetectionError, SourceError):
        return
    json.dumps([detection.framework, detection.family, list(detection.distributions)])
    assert detection.trains is (detection.framework != "none")
    assert all(item.line >= 1 for item in detection.evidence)


@given(content=st.binary(max_size=400))
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_bytes(tmp_path: Path, content: bytes) -> None:
    for name in ("script.py", "notebook.ipynb"):
        (tmp_path / name).write_bytes(content)
        outcome(tmp_path / name)
    outcome(tmp_path)


@given(lines=st.lists(FRAGMENTS, max_size=25))
@settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_lines(tmp_path: Path, lines: list[str]) -> None:
    (tmp_path / "script.py").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "a.py").write_text("from script import *\nimport a\n" + "\n".join(lines[::-1]))
    outcome(tmp_path / "script.py")
    outcome(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "import keras\nm = keras.Sequential()\nprint 'training'\nm.fit(x, y, nb_epoch=2)\n",
        "import keras\n!pip install keras\nm = keras.Sequential()\nm.fit(x, y)\n",
        "In[3]:\nimport keras\nm = keras.Sequential()\nm.fit(x, y)\n",
        "import keras\nm = keras.Sequential()\nif m:\n\tm.fit(x, y)\n        m.save('x')\n",
        "import keras\nm = keras.Sequential()\nm.fit(x, y)\n(m.fit(\n",
    ],
)
def test_what_is_not_python_3_is_read_by_its_tokens(tmp_path: Path, text: str) -> None:
    (tmp_path / "script.py").write_text(text)
    detection = detect(tmp_path / "script.py")
    assert detection.framework == "keras"
    assert detection.parsed is Parsed.TOKENS
    assert "not valid Python 3" in detection.warnings[0]


def test_a_notebook_is_read_and_warned_of(tmp_path: Path) -> None:
    source = ["%matplotlib inline\n", "from sklearn.svm import SVC\n", "SVC().fit(x, y)"]
    cells = [{"cell_type": "code", "source": source}]
    (tmp_path / "n.ipynb").write_text(json.dumps({"cells": cells}))
    detection = detect(tmp_path)
    assert (detection.framework, detection.entry) == ("sklearn", "n.ipynb")
    assert "notebook" in detection.warnings[0]


def test_nothing_is_run_or_imported(tmp_path: Path) -> None:
    trap = f"open({str(tmp_path / 'sprung')!r}, 'w')\n"
    (tmp_path / "script.py").write_text("import trap\n" + trap)
    (tmp_path / "trap.py").write_text(trap)
    detect(tmp_path)
    assert not (tmp_path / "sprung").exists()
