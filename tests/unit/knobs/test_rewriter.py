"""A rewritten file is Python, and differs from the pushed one in the literals alone."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pushtrain.detect import detect
from pushtrain.entities import Choices, Knob, KnobKind, KnobValue
from pushtrain.errors import KnobError
from pushtrain.knobs import SourceRewriter, find_knobs, validate
from pushtrain.knobs.places import places
from pushtrain.settings import KnobSettings

SCRIPTS = sorted(Path(__file__).with_name("scripts").glob("*.py"))
BOM = b"\xef\xbb\xbf"

FORMS: dict[str, Callable[[str], bytes]] = {
    "plain": lambda text: text.encode(),
    "CRLF": lambda text: text.replace("\n", "\r\n").encode(),
    "CR": lambda text: text.replace("\n", "\r").encode(),
    "BOM": lambda text: BOM + text.encode(),
    "BOM and CRLF": lambda text: BOM + text.replace("\n", "\r\n").encode(),
    "tabs": lambda text: text.replace("    ", "\t").encode(),
    "no newline at the end": lambda text: text.rstrip("\n").encode(),
    "Latin-1": lambda text: ("# -*- coding: latin-1 -*-\n# café\n" + text).encode("latin-1"),
    "form feeds": lambda text: (
        text.replace("\nmodel", "\n\fmodel").replace("\n\n", "\n\f\n").encode()
    ),
    "other separators": lambda text: ("# \x0b \x85 \u2028 😀\n" + text).encode(),
}


@cache
def program(script: Path, form: str, root: Path) -> tuple[bytes, tuple[Knob, ...], SourceRewriter]:
    """A script in one of the forms: its bytes, its knobs, and its rewriter."""
    folder = root / f"{script.stem}-{form}"
    folder.mkdir()
    content = FORMS[form](script.read_text("utf-8"))
    (folder / "train.py").write_bytes(content)
    knobs = find_knobs(folder, detect(folder), KnobSettings())
    return content, knobs, SourceRewriter(folder, knobs)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("programs")


def values_for(knob: Knob) -> st.SearchStrategy[KnobValue]:
    if isinstance(knob.range, Choices):
        return st.sampled_from(knob.range.choices)
    low, high = knob.range.low, knob.range.high
    if knob.kind is KnobKind.FLOAT:
        return st.floats(low, high)
    return st.integers(int(low), int(high))


def as_text(content: bytes) -> str:
    encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
    return content.decode(encoding)


def tokens(content: bytes) -> list[tuple[int, str]]:
    text = as_text(content).replace("\r\n", "\n").replace("\r", "\n")
    return [(t.type, t.string) for t in tokenize.generate_tokens(io.StringIO(text).readline)]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_has_the_same_knobs(form: str, root: Path) -> None:
    script = next(path for path in SCRIPTS if path.stem == "constants")
    plain = program(script, "plain", root)[1]
    _, knobs, rewrite = program(script, form, root)
    assert [(k.name, k.value) for k in knobs] == [(k.name, k.value) for k in plain]
    assert rewrite({knob.name: knob.value for knob in knobs}) == {}


_LITERAL = re.compile(r"(['\"])\w*\1|\.?\d[\w.]*(?:(?<=[eE])[-+]\d+)?|\w+")


def masked(content: bytes) -> bytes:
    """The file with its numbers, words and plain strings blotted out."""
    return _LITERAL.sub("_", content.decode("latin-1")).encode("latin-1")


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_only_the_literals_change(data: st.DataObject, root: Path) -> None:
    script = data.draw(st.sampled_from(SCRIPTS))
    content, knobs, rewrite = program(script, data.draw(st.sampled_from(sorted(FORMS))), root)
    literal = [knob for knob in knobs if knob.kind is not KnobKind.BLOCK]
    values = {knob.name: data.draw(values_for(knob), knob.name) for knob in literal}
    turned = [knob for knob in literal if values[knob.name] != knob.value]
    changed = rewrite(values)
    if not turned:
        assert changed == {}
        return
    (after,) = changed.values()
    ast.parse(after)
    assert masked(after) == masked(content)
    pairs = zip(tokens(content), tokens(after), strict=True)
    differing = [old for old, new in pairs if old != new]
    assert {kind for kind, _ in differing} <= {tokenize.NUMBER, tokenize.STRING, tokenize.NAME}
    assert len(turned) <= len(differing) <= 3 * len(turned)  # (3, 3, 3) is one knob


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_values_give_python_that_has_them(data: st.DataObject, root: Path) -> None:
    script = data.draw(st.sampled_from(SCRIPTS))
    content, knobs, rewrite = program(script, data.draw(st.sampled_from(sorted(FORMS))), root)
    values = {knob.name: data.draw(values_for(knob), knob.name) for knob in knobs}
    after = rewrite(values).get("train.py", content)
    ast.parse(after)
    dropped = any(k.kind is KnobKind.BLOCK and values[k.name] == 0 for k in knobs)
    if not dropped:
        constants = [n.value for n in ast.walk(ast.parse(after)) if isinstance(n, ast.Constant)]
        for knob in knobs:
            if knob.kind in {KnobKind.FLOAT, KnobKind.INTEGER}:
                assert values[knob.name] in constants
    assert rewrite(values) == rewrite(values)


# --- blocks --------------------------------------------------------------------------------------

LISTED = """\
from tensorflow import keras
from tensorflow.keras import layers
model = keras.Sequential([
    keras.Input((8, 8, 1)),
    layers.Conv2D(8, 3, padding="same"),  # edges
    layers.ReLU(),
    layers.Flatten(),
    # the head
    layers.Dense(32, activation="relu"),
    layers.Dropout(0.5), layers.Dense(16),
    layers.Dense(10),
])
model.compile("sgd", "mse")
model.fit(x, y, epochs=3)
"""

ADDED = """\
from keras.models import Sequential
from keras.layers import LSTM, Dense, Dropout, Input
if True:
    model = Sequential()
    model.add(Input((8, 8)))
    model.add(LSTM(16,))  # rows
    model.add(Dropout(0.2))
    print("head")
    model.add(Dense(12, activation='relu'))
    model.add(Dense(10))
    model.compile("sgd", "mse")
    model.fit(x, y, epochs=3)
"""


def rewritten(folder: Path, text: str, **values: KnobValue) -> str:
    (folder / "train.py").write_text(text)
    knobs = find_knobs(folder, detect(folder), KnobSettings())
    return SourceRewriter(folder, knobs)(values)["train.py"].decode()


def test_a_listed_block_stands_twice(tmp_path: Path) -> None:
    block = '    layers.Conv2D(8, 3, padding="same"),  # edges\n    layers.ReLU(),\n'
    assert rewritten(tmp_path, LISTED, conv2d_block=2) == LISTED.replace(block, block * 2)


def test_a_listed_block_is_dropped_with_its_lines(tmp_path: Path) -> None:
    block = '    layers.Conv2D(8, 3, padding="same"),  # edges\n    layers.ReLU(),\n'
    assert rewritten(tmp_path, LISTED, conv2d_block=0) == LISTED.replace(block, "")


def test_blocks_that_share_a_line(tmp_path: Path) -> None:
    dropped = rewritten(tmp_path, LISTED, dense_block_2=0)
    assert dropped == LISTED.replace(" layers.Dense(16),\n", "\n")
    twice = rewritten(tmp_path, LISTED, dense_block_2=2)
    assert twice.count("layers.Dense(16),") == 2
    both = rewritten(tmp_path, LISTED, dense_block=0, dense_block_2=0)
    assert "# the head\n    layers.Dense(10),\n" in both.replace("    \n", "")
    first = rewritten(tmp_path, LISTED, dense_block=0)
    assert "layers.Dense(32" not in first
    assert "layers.Dropout" not in first
    assert "layers.Dense(16)" in first


def test_copies_have_the_values_of_the_block(tmp_path: Path) -> None:
    text = rewritten(tmp_path, LISTED, dense_block=3, units=64, dropout=0.25)
    assert text.count('layers.Dense(64, activation="relu")') == 3
    assert text.count("layers.Dropout(0.25)") == 3
    assert "32" not in text


def test_copies_of_a_recurrent_layer_hand_on_sequences(tmp_path: Path) -> None:
    text = rewritten(tmp_path, ADDED, lstm_block=3, units=32)
    copy = "    model.add(LSTM(32,return_sequences=True))  # rows\n    model.add(Dropout(0.2))\n"
    block = "    model.add(LSTM(32,))  # rows\n    model.add(Dropout(0.2))\n"
    pushed = "    model.add(LSTM(16,))  # rows\n    model.add(Dropout(0.2))\n"
    assert text == ADDED.replace(pushed, copy * 2 + block)


def test_an_added_block_is_dropped_with_its_line(tmp_path: Path) -> None:
    line = "    model.add(Dense(12, activation='relu'))\n"
    assert rewritten(tmp_path, ADDED, dense_block=0) == ADDED.replace(line, "")


def test_statements_between_layers_end_a_block(tmp_path: Path) -> None:
    text = ADDED.replace('    print("head")\n', "").replace("# rows\n", "# rows\n    n = 3\n")
    (tmp_path / "train.py").write_text(text)
    names = [knob.name for knob in find_knobs(tmp_path, detect(tmp_path), KnobSettings())]
    assert "lstm_block" not in names
    assert "dense_block" in names


def test_all_blocks_of_a_one_line_model(tmp_path: Path) -> None:
    text = (
        "from keras import Sequential, layers\n"
        "m = Sequential([layers.Dense(4), layers.Dropout(.1), layers.Dense(8), layers.Dense(1)])\n"
        "m.compile('sgd', 'mse'); m.fit(x, y)\n"
    )
    assert "Sequential([layers.Dense(8), layers.Dense(1)])" in rewritten(
        tmp_path, text, dense_block=0
    )
    assert "layers.Dense(8), layers.Dense(8), layers.Dense(1)]" in rewritten(
        tmp_path, text, dense_block=0, dense_block_2=2
    )
    assert "Sequential([layers.Dense(1)])" in rewritten(
        tmp_path, text, dense_block=0, dense_block_2=0
    )


# --- what is refused -----------------------------------------------------------------------------


@pytest.fixture
def knobs(tmp_path: Path) -> tuple[Knob, ...]:
    (tmp_path / "train.py").write_text(LISTED)
    return find_knobs(tmp_path, detect(tmp_path), KnobSettings())


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("neurons", 3, "no knob is called neurons"),
        ("units", 3.5, "a whole number"),
        ("units", True, "a whole number"),
        ("units", "32); import os; (1", "a whole number"),
        ("dropout", float("nan"), "a finite number"),
        ("dropout", float("inf"), "a finite number"),
        ("activation", "relu') or exec('", "one of 'relu'"),
        ("dense_block", -1, "a whole number from 0"),
        ("dense_block", 100, "a whole number from 0 to 99"),
    ],
)
def test_values_that_do_not_fit(
    knobs: tuple[Knob, ...], tmp_path: Path, name: str, value: KnobValue, wanted: str
) -> None:
    with pytest.raises(KnobError, match=r".") as caught:
        SourceRewriter(tmp_path, knobs)({name: value})
    assert wanted in str(caught.value)
    with pytest.raises(KnobError):
        validate(knobs, {name: value})


def test_a_number_may_lie_outside_its_range(knobs: tuple[Knob, ...], tmp_path: Path) -> None:
    after = SourceRewriter(tmp_path, knobs)({"units": 5000})["train.py"]
    assert b"layers.Dense(5000" in after


@pytest.mark.parametrize("text", [LISTED.replace("32", "33"), "\n" + LISTED, ""])
def test_a_source_that_has_changed_since(
    knobs: tuple[Knob, ...], tmp_path: Path, text: str
) -> None:
    (tmp_path / "train.py").write_text(text)
    with pytest.raises(KnobError, match="find the knobs anew"):
        SourceRewriter(tmp_path, knobs)


def test_a_source_that_is_gone(knobs: tuple[Knob, ...], tmp_path: Path) -> None:
    (tmp_path / "train.py").unlink()
    with pytest.raises(KnobError, match=r"train\.py cannot be read"):
        SourceRewriter(tmp_path, knobs)


@pytest.mark.parametrize(
    "content", ["x = 1\n".encode("utf-16"), b"\xff\xfe\x00", b"x = '\xe9'\n", b"a\0"]
)
def test_files_that_no_python_reads_have_no_places(content: bytes) -> None:
    with pytest.raises(KnobError, match="cannot be rewritten"):
        places("train.py", content)
