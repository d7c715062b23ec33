"""What a trial says of itself is taken in the protocol's shape, or not at all."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pushtrain.trial.protocol import TrialOutcome, parse_event, parse_result
from pushtrain.worker.events import encode
from pushtrain.worker.orders import Order
from pushtrain.worker.outcome import MOST_BYTES, Ending, Outcome

SAID: dict[str, dict[str, Any]] = {
    "epoch": {"metrics": {"loss": 1.0}, "seconds": 1.0, "epochs": 3},
    "resumed": {"epochs": 1},
    "carried": {"seconds": 1.0},
    "measurement": {"metric": "loss", "value": 1.0, "role": "held-out", "source": "here"},
    "error": {"type": "E", "message": "m", "file": "f", "line": 1, "traceback": "t"},
    "network": {"host": "h", "port": 80, "file": "f", "line": 1},
    "confusion": {"labels": ["a", "b"], "matrix": [[1, 2], [3, 4]]},
    "parameters": {"values": {"units": 8}},
    "versions": {"values": {"keras": "3"}},
    "model": {"path": "model/m", "format": "keras"},
    "seconds": {"name": "fit", "value": 1.0},
    "note": {"text": "noted"},
}
"""Each kind of message, as the child says it."""


def outcome() -> Outcome:
    return Outcome(Order(trial=3, attempt=1, entry="train.py", seed=1, time_limit=1.0))


def result(of: Outcome) -> TrialOutcome:
    """The result as the driver reads it."""
    return parse_result(encode(of.result(Ending(code=0), {"bytes": 0, "dropped": 0})))


def say(to: Outcome, kind: str, **fields: Any) -> dict[str, Any] | None:
    return to.take(json.dumps({"kind": kind, **fields}).encode())


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)


@st.composite
def bent(draw: st.DrawFn) -> dict[str, Any]:
    """A message in which one field is anything at all, or missing."""
    kind = draw(st.sampled_from(sorted(SAID)))
    fields = dict(SAID[kind])
    name = draw(st.sampled_from(sorted(fields)))
    if draw(st.booleans()):
        fields[name] = draw(anything)
    else:
        del fields[name]
    return {"kind": kind, **fields}


@settings(deadline=None)
@given(st.lists(bent(), max_size=4))
@example([{"kind": "seconds", "name": "", "value": 1.0}])
def test_whatever_it_says_the_result_is_by_the_protocol(said: list[dict[str, Any]]) -> None:
    made = outcome()
    for number, message in enumerate(said):
        told = made.take(json.dumps(message).encode())
        if told is not None:
            event = {"v": 1, "seq": number + 1, "time": 1.0, "event": told.event, "trial": 3}
            assert parse_event(encode({**event, **told.fields})).event == told.event

    assert result(made).trial == 3


def test_what_it_says_is_in_the_result() -> None:
    made = outcome()
    for kind, fields in SAID.items():
        say(made, kind, **fields)

    said = result(made).model_dump()
    assert [epoch["metrics"] for epoch in said["epochs"]] == [{"loss": 1.0}]
    assert said["resumed"] == 1
    assert [measured["source"] for measured in said["measurements"]] == ["here"]
    assert said["error"] == SAID["error"]
    assert said["network"] == [SAID["network"]]
    assert said["confusion"] == SAID["confusion"]
    assert said["parameters"] == {"units": 8}
    assert said["versions"] == {"keras": "3"}
    assert said["model"] == SAID["model"]
    assert said["seconds"] == {"fit": 1.0}
    assert said["notes"] == ["noted"]


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_bytes_that_mean_nothing_are_left_out(message: bytes) -> None:
    made = outcome()
    made.take(message)
    assert result(made).measurements == []


def test_epochs_are_counted_over_all_fits() -> None:
    made = outcome()
    for _ in range(2):
        for loss in (2.0, 1.0):
            say(made, "epoch", metrics={"loss": loss}, seconds=0.5, epochs=2)

    epochs = result(made).epochs
    assert [epoch.number for epoch in epochs] == [1, 2, 3, 4]
    assert [epoch.metrics["loss"] for epoch in epochs] == [2.0, 1.0, 2.0, 1.0]


def test_a_plan_that_is_passed_is_no_plan() -> None:
    made = outcome()
    first = say(made, "epoch", metrics={}, seconds=1, epochs=1)
    second = say(made, "epoch", metrics={}, seconds=1, epochs=1)

    assert first is not None and first.fields["epochs"] == 1
    assert second is not None and second.fields["epochs"] is None


def test_values_that_are_not_finite_come_through() -> None:
    made = outcome()
    for value in ("NaN", "Infinity", "-Infinity"):
        say(made, "measurement", metric="loss", value=value, role="held-out", source="here")

    values = [measured.value for measured in result(made).measurements]
    assert math.isnan(values[0])
    assert values[1:] == [math.inf, -math.inf]


@pytest.mark.parametrize("kind", ["epoch", "measurement"])
def test_a_result_is_thinned_to_what_may_be_said(kind: str) -> None:
    made = outcome()
    fields: dict[str, Any] = {
        "epoch": {"metrics": {"a-name-of-some-length" * 9: 0.123456789}, "seconds": 1},
        "measurement": {"metric": "m" * 200, "value": 1, "role": "training", "source": "s" * 200},
    }[kind]
    for _ in range(20_000):
        say(made, kind, **fields)

    encoded = encode(made.result(Ending(code=0), {"bytes": 0, "dropped": 0}))

    assert len(encoded) <= MOST_BYTES
    parsed = parse_result(encoded)
    kept = parsed.epochs if kind == "epoch" else parsed.measurements
    assert len(kept) > 1000
    assert any("only a part is kept" in note for note in parsed.notes)


def test_parameters_and_news_have_a_limit_in_all() -> None:
    made = outcome()
    for number in range(2000):
        say(made, "parameters", values={f"p{number}": "v" * 2000})
    for _ in range(400):
        say(made, "note", text="n" * 100_000)

    encoded = encode(made.result(Ending(), {"bytes": 0, "dropped": 0}))

    assert len(encoded) < 1_000_000
    assert any("too much" in note for note in parse_result(encoded).notes)


def test_a_model_that_is_not_there_is_a_note() -> None:
    made = outcome()
    say(made, "model", path="model/model.keras", format="keras")
    made.keep_model_if(lambda path: path != "model/model.keras")

    parsed = result(made)
    assert parsed.model is None
    assert parsed.notes == ["the model is not there: model/model.keras"]
