"""The verdict as JUnit XML."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from pushtrain.entities import Push, RunState
from pushtrain.record import RunRecord
from pushtrain.report import write_junit
from support import records

ALLOWED = {
    "testsuites": {"name", "time", "tests", "failures", "disabled", "errors"},
    "testsuite": {"name", "tests", "failures", "errors", "time", "disabled", "skipped",
                  "timestamp", "hostname", "id", "package"},
    "testcase": {"name", "assertions", "time", "classname", "status"},
    "failure": {"type", "message"},
    "error": {"type", "message"},
    "skipped": {"type", "message"},
    "property": {"name", "value"},
    "properties": set(),
    "system-out": set(),
}  # fmt: skip
"""Elements and attributes that the schema of Jenkins' xUnit plugin knows."""


def read(record: RunRecord, folder: Path) -> ET.Element:
    return ET.fromstring(write_junit(record, folder).read_bytes())


@pytest.mark.parametrize("state", list(RunState))
def test_only_what_the_schema_knows(state: RunState, tmp_path: Path) -> None:
    root = read(records.run([records.trial(0), records.failed(1)], state=state), tmp_path)
    for element in root.iter():
        assert set(element.attrib) <= ALLOWED[element.tag]


@pytest.mark.parametrize(
    ("state", "failures", "errors"),
    [
        (RunState.MET, 0, 0),
        (RunState.SPENT, 1, 0),
        (RunState.FAILED, 0, 1),
        (RunState.STOPPED, 0, 0),
        (RunState.SUPERSEDED, 0, 0),
    ],
)
def test_only_the_verdict_marks_a_build(
    state: RunState, failures: int, errors: int, tmp_path: Path
) -> None:
    trials = [records.trial(0, 0.7), records.failed(1), records.failed(2)]
    root = read(records.run(trials, state=state), tmp_path)
    for element in (root, root[0]):
        assert element.get("failures") == str(failures)
        assert element.get("errors") == str(errors)
        assert element.get("tests") == "4"
    marked = [case.get("name") for case in root.iter("testcase") if len(case.findall("failure"))]
    assert marked == (["target"] if failures else [])


def test_names_stay_the_same_from_build_to_build(tmp_path: Path) -> None:
    names = []
    for value in (0.98, 0.99):
        root = read(records.run([records.trial(0, value)]), tmp_path)
        names.append([(case.get("classname"), case.get("name")) for case in root.iter("testcase")])
    assert (
        names[0]
        == names[1]
        == [
            ("pushtrain.digits-cnn", "target"),
            ("pushtrain.digits-cnn", "trial 0"),
        ]
    )


def test_a_missed_target_says_by_how_much_and_what_to_do(tmp_path: Path) -> None:
    root = read(records.run([records.trial(0, 0.9699999)], state=RunState.SPENT), tmp_path)
    failure = next(root.iter("failure"))
    assert failure.get("message") == "accuracy 0.9699999, target ≥ 0.97"
    assert "next: raise the budget" in (failure.text or "")


def test_what_xml_cannot_hold_does_not_break_it(tmp_path: Path) -> None:
    evil = "\x00\x1b]]>&<\ud800\uffff"
    record = replace(
        records.run([records.failed(0, message=evil)], state=RunState.FAILED),
        push=Push(f"https://h.example/{evil}", "ab" * 20, evil),
    )
    assert read(record, tmp_path).tag == "testsuites"


def test_nothing_is_left_beside_it(tmp_path: Path) -> None:
    read(records.run(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["junit.xml"]
