"""What a script reports in files, whatever is in them: numbers by name, or nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pushtrain.worker.output import HELPER, REPORT, Output

_texts = st.text(max_size=5) | st.sampled_from(["\x1b[2J", "NaN", "1e999"])
_values = st.none() | st.booleans() | st.integers() | st.floats() | _texts | st.lists(_texts)
_objects = st.dictionaries(_texts, _values, max_size=3).map(json.dumps)
_lines = st.lists(_objects | st.text(max_size=20), max_size=3).map("\n".join)
_content = _lines.map(lambda text: text.encode("utf-8", "replace")) | st.binary(max_size=40)


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trials")


def reported(trials: Path, helper: bytes, file: bytes) -> list[tuple[Any, ...]]:
    output = Output(trials, trials / "1", {})
    (trials / "1" / HELPER).write_bytes(helper)
    (trials / "1/source" / REPORT).write_bytes(file)
    return list(output.reported("."))


@given(_content, _content)
@example(b"[" * 200_000, b'{"a": ' * 100_000)
@example(b'{"a": ' + b"9" * 10_000 + b"}", b"\xff\xfe")
def test_any_report_is_numbers_by_name(trials: Path, helper: bytes, file: bytes) -> None:
    (trials / "1").mkdir(exist_ok=True)
    for name, value, source in reported(trials, helper, file):
        assert isinstance(name, str) and isinstance(value, float)
        assert source in ("pushtrain.report", REPORT)


def test_of_a_report_without_end_the_beginning_counts(trials: Path) -> None:
    (trials / "1").mkdir(exist_ok=True)
    line = b'{"accuracy": 0.5}\n'
    told = reported(trials, line * 100_000, b'{"loss": 1}'.ljust(2 * 1024**2))
    assert len(told) == 1024**2 // len(line) + 1
    assert set(told) == {("accuracy", 0.5, "pushtrain.report"), ("loss", 1.0, REPORT)}
