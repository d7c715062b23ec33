"""What comes out of a container is hostile: it is a record by the protocol, or it is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pushtrain.entities import Role
from pushtrain.events import EVENT, TrialEnded
from pushtrain.journal import Journal
from pushtrain.trial.job import Trial
from pushtrain.trial.outcome import TrialEnd, judge
from pushtrain.trial.protocol import (
    MAX_LINE,
    MAX_RESULT,
    BadOutput,
    Logged,
    TrialOutcome,
    parse_event,
    parse_result,
)
from support.training import job, trial

RESULT: dict[str, Any] = {
    "protocol": 1,
    "trial": 0,
    "attempt": 1,
    "exit": {"code": 0, "signal": None, "stopped": False},
    "error": {"type": "E", "message": "m", "file": "f", "line": 1, "traceback": "t"},
    "network": [{"host": "h", "port": 80, "file": "f", "line": 1}],
    "measurements": [{"metric": "loss", "value": 1.0, "role": "held-out", "source": "here"}],
    "epochs": [{"number": 1, "metrics": {"loss": 1.0}, "seconds": 1.0}],
    "resumed": 1,
    "confusion": {"labels": ["a", "b"], "matrix": [[1, 2], [3, 4]]},
    "parameters": {"units": 8},
    "versions": {"keras": "3"},
    "model": {"path": "model/m", "format": "keras"},
    "seconds": {"fit": 1.0},
    "log": {"bytes": 1, "dropped": 0},
    "files": 1,
    "refused": ["x"],
    "notes": ["noted"],
}
_HEAD: dict[str, Any] = {"v": 1, "seq": 1, "time": 1.5}
EVENTS: dict[str, dict[str, Any]] = {
    "ready": {"seconds": 1.0, "python": "3", "versions": {"a": "1"}, "data": {"/d": "stat:1"}},
    "import_failed": {"module": "m", "type": "E", "message": "x", "traceback": "t"},
    "trial_started": {"trial": 0, "attempt": 1},
    "log": {"trial": 0, "text": "x"},
    "epoch": {"trial": 0, "epoch": 1, "epochs": 3, "metrics": {"loss": 1.0}, "seconds": 0.1},
    "resumed": {"trial": 0, "epochs": 1},
    "alive": {"trial": 0, "memory": 1, "disk": 1},
    "trial_ended": {"trial": 0, "result": RESULT},
}
"""Each event, whole."""

_text = st.text(max_size=8) | st.sampled_from(["\x1b[2J", "\u202e", "NaN", "x" * 3000, "\ud800"])
_number = st.integers() | st.floats() | st.sampled_from([2**63, 10**400, -1])
anything = st.recursive(
    st.none() | st.booleans() | _number | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=6,
)


def event(kind: str, **fields: object) -> bytes:
    return json.dumps({**_HEAD, "event": kind, **EVENTS[kind], **fields}).encode()


@st.composite
def bent(draw: st.DrawFn, whole: dict[str, Any]) -> bytes:
    """A record in JSON in which one place, however deep, is anything at all, or missing."""
    record = json.loads(json.dumps(whole))
    place: Any = record
    while True:
        key = draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], dict | list) or not place[key] or draw(st.booleans()):
            break
        place = place[key]
    if isinstance(place, dict) and draw(st.booleans()):
        place[draw(_text)] = place.pop(key)
    else:
        place[key] = draw(anything)
    return json.dumps(record).encode("utf-8", "surrogatepass")


lines = st.sampled_from(sorted(EVENTS)).flatmap(lambda kind: bent(json.loads(event(kind))))


@given(lines | st.binary(max_size=100))
@example(event("log", event="\x1b[2J"))
@example(event("epoch", metrics={"\x1b[2J": "x"}))
@example(b"[" * 200_000)
def test_any_line_is_an_event_or_refused_in_one_plain_line(line: bytes) -> None:
    try:
        assert parse_event(line).event in EVENTS
    except BadOutput as refusal:
        assert str(refusal).isprintable() and len(str(refusal)) < 600


@pytest.mark.parametrize("kind", EVENTS)
def test_a_line_that_is_cut_off_anywhere_is_refused(kind: str) -> None:
    line = event(kind)
    assert parse_event(line).event == kind
    for length in range(len(line)):
        with pytest.raises(BadOutput):
            parse_event(line[:length])


@pytest.mark.parametrize("kind", EVENTS)
@pytest.mark.parametrize(
    "head",
    [{"v": 2}, {"v": "1"}, {"v": None}, {"seq": 0}, {"seq": 1.5}, {"time": -1}, {"time": math.nan}],
)
def test_another_version_or_a_wrong_head_is_refused(kind: str, head: dict[str, object]) -> None:
    with pytest.raises(BadOutput):
        parse_event(event(kind, **head))


def test_what_is_said_twice_in_one_line_counts_once() -> None:
    line = event("log").replace(b'"text": "x"', b'"text": "first", "text": "last"')
    said = parse_event(line)
    assert isinstance(said, Logged) and said.text == "last"


def test_a_newer_worker_may_say_more() -> None:
    assert parse_event(event("alive", temperature={"cpu": 71})).event == "alive"


@pytest.mark.parametrize("name", ["log", "trial_ended"])
def test_a_line_has_an_end(name: str) -> None:
    with pytest.raises(BadOutput, match="262144 are allowed"):
        parse_event(event(name).ljust(MAX_LINE + 1))


@given(bent(RESULT) | st.binary(max_size=100))
def test_any_result_is_one_or_refused_in_one_plain_line(content: bytes) -> None:
    try:
        assert parse_result(content).protocol == 1
    except BadOutput as refusal:
        assert str(refusal).isprintable() and len(str(refusal)) < 600


def test_a_result_has_an_end() -> None:
    with pytest.raises(BadOutput, match=r"a result\.json of more than 4194304 bytes"):
        parse_result(json.dumps(RESULT).encode().ljust(MAX_RESULT + 1))


# --- what is accepted --------------------------------------------------------------------------

_name = st.text(min_size=1, max_size=8) | st.sampled_from(["accuracy", "\x1b[31m", "\u202e", "\n"])
_value = st.floats() | st.sampled_from(["NaN", "Infinity", "-Infinity"]) | st.integers(-9, 2**70)
_line = st.text(max_size=12) | st.just("\x9b0m\u2028\x00")
_place = st.none() | st.integers(1, 2**31 - 1)
outcomes = st.fixed_dictionaries(
    {
        "protocol": st.just(1),
        "trial": st.just(0),
        "attempt": st.just(1),
        "exit": st.fixed_dictionaries(
            {"code": st.none() | st.integers(0, 255), "signal": st.none() | st.integers(1, 128)},
            optional={
                flag: st.booleans()
                for flag in ("stopped", "timed_out", "disk_exceeded", "oom_killed", "pids_exceeded")
            },
        ),
    },
    optional={
        "error": st.none()
        | st.fixed_dictionaries({"type": _name, "message": _line, "file": _line, "line": _place}),
        "network": st.lists(st.fixed_dictionaries({"host": _line, "file": _line}), max_size=2),
        "measurements": st.lists(
            st.fixed_dictionaries(
                {
                    "metric": _name,
                    "value": _value,
                    "role": st.sampled_from([role.value for role in Role]),
                    "source": _line,
                }
            ),
            max_size=3,
        ),
        "epochs": st.lists(st.dictionaries(_name, _value, max_size=2), max_size=3).map(
            lambda told: [
                {"number": number, "metrics": metrics, "seconds": 0.5}
                for number, metrics in enumerate(told, 1)
            ]
        ),
        "confusion": st.just({"labels": ["\x1b", "b"], "matrix": [[2**63 - 1, 0], [0, 1]]}),
        "parameters": st.dictionaries(_line, anything, max_size=3),
        "versions": st.dictionaries(_name, _name, max_size=2),
        "notes": st.lists(_line, max_size=2),
        "refused": st.lists(_line, max_size=2),
    },
)


def accepted(said: dict[str, Any]) -> TrialOutcome | None:
    """What the driver reads of it; None where the protocol refuses it."""
    try:
        return parse_result(json.dumps(said).encode("utf-8", "surrogatepass"))
    except BadOutput:
        return None


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("outcomes")


@given(outcomes)
def test_whatever_is_accepted_is_judged_and_written_down_and_read_again(
    place: Path, said: dict[str, Any]
) -> None:
    outcome = accepted(said)
    if outcome is None:
        return
    result = judge(Trial(job(place), trial(0)), TrialEnd(outcome, (), 1.0))
    words = [*result.notes, *(m.metric + m.source for m in result.measurements)]
    if result.failure is not None:
        words += [result.failure.message, result.failure.file or ""]
    assert all(word.isprintable() for word in words)

    path = place / "journal"
    path.unlink(missing_ok=True)
    Journal(path).append(written := TrialEnded(result))
    (entry,) = Journal(path).read()
    assert EVENT.dump_json(entry.event) == EVENT.dump_json(written)
