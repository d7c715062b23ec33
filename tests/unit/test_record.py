"""A journal folded into one record: whatever happened in whatever order it can happen."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pushtrain.entities import (
    Budget,
    Cause,
    Direction,
    Epoch,
    Failure,
    Image,
    Objective,
    Role,
    RunState,
    TrialState,
    Wishes,
)
from pushtrain.events import (
    AttemptFailed,
    DataRead,
    DriverLost,
    Entry,
    EpochEnded,
    Event,
    ImageReady,
    Judged,
    MessageFailed,
    MessageQueued,
    MessageSent,
    PatchCommitted,
    Planned,
    Published,
    Reopened,
    RunStarted,
    StateChanged,
    StopRequested,
    TrialEnded,
    TrialStarted,
    Warned,
)
from pushtrain.processes import Process
from pushtrain.record import CONFIRMATION, RunRecord, fold
from support import records
from support.records import failed, run, trial


def folded(*events: Event, start: RunRecord | None = None) -> RunRecord:
    entries = (Entry(seq, 100.0 + seq, event) for seq, event in enumerate(events, 1))
    return fold("r", entries, start)


# --- what each event changes -------------------------------------------------------------------


def test_nothing_has_happened() -> None:
    record = folded()
    assert record == RunRecord("r")
    assert (record.state, record.best, record.confirmations) == (RunState.STARTED, None, ())


def test_a_whole_run() -> None:
    record = run()
    assert record.state is RunState.MET
    assert record.push == records.PUSH
    assert record.objective == records.ACCURACY
    assert list(record.trials) == [0, 1, 2]
    assert record.origins == {0: "as pushed", 1: "search", 2: "search"}
    assert record.running == {}
    assert record.verdict is not None
    assert record.updated > record.started > 0


def test_a_trial_is_under_way_until_it_ends() -> None:
    started = TrialStarted(4, {"units": 8}, 7, "search")
    record = folded(started, EpochEnded(4, Epoch(1, {"a": 1.0}, 0.5), 9))
    assert record.running == {4: started}
    assert record.epochs[4] == (Epoch(1, {"a": 1.0}, 0.5),)
    assert record.planned_epochs == {4: 9}
    record = folded(TrialEnded(trial(4)), start=record)
    assert (record.running, record.epochs) == ({}, {})
    assert record.origins == {4: "search"}


def test_a_second_attempt_begins_its_epochs_anew() -> None:
    one = TrialStarted(0, {}, 0, "as pushed")
    record = folded(
        one,
        EpochEnded(0, Epoch(1, {"a": 1.0}, 0.5)),
        TrialStarted(0, {}, 0, "as pushed", attempt=2),
        EpochEnded(0, Epoch(1, {"a": 2.0}, 0.5)),
    )
    assert [epoch.metrics for epoch in record.epochs[0]] == [{"a": 2.0}]
    assert len(record.origins) == 1


def test_the_first_request_to_stop_stands() -> None:
    record = folded(StopRequested("first"), StopRequested("second", superseded_by="x"))
    assert record.stop == StopRequested("first")


def test_a_run_with_its_verdict_has_nothing_under_way() -> None:
    record = folded(
        TrialStarted(0, {}, 0, "as pushed"),
        EpochEnded(0, Epoch(1, {}, 0.5)),
        Judged(records.verdict(RunRecord("r"), RunState.STOPPED)),
    )
    assert (record.running, record.state) == ({}, RunState.STOPPED)
    assert list(record.epochs) == list(record.cut_off) == [0]


def test_other_events_leave_their_mark() -> None:
    image = Image(records.PLAN, "sha256:1", 5)
    record = folded(
        RunStarted(records.PUSH, "sha256:d", "1.2", Wishes(seed=9)),
        ImageReady(image, True, 3.0),
        DataRead({"/data": "sha256:e"}),
        Warned("a"),
        Warned("b"),
        StateChanged(RunState.BUILDING),
        PatchCommitted("pushtrain/tuned/1"),
    )
    assert (record.image, record.image_built, record.image_seconds) == (image, True, 3.0)
    assert record.data_directories == {"/data": "sha256:e"}
    assert record.warnings == ("a", "b")
    assert (record.version, record.seed) == ("1.2", 9)
    assert (record.state, record.tuned_branch) == (RunState.BUILDING, "pushtrain/tuned/1")
    assert (record.started, record.updated) == (101.0, 107.0)


def test_a_message_waits_until_it_is_sent_or_given_up() -> None:
    record = folded(*(MessageQueued("verdict", channel) for channel in ("mail", "chat", "third")))
    assert len(record.waiting) == 3
    record = folded(
        MessageFailed("verdict", "mail", "busy", permanent=False),
        MessageFailed("verdict", "chat", "unknown address", permanent=True),
        MessageSent("verdict", "third"),
        start=record,
    )
    assert record.waiting == {("verdict", "mail")}


def test_every_event_shows_in_the_record() -> None:
    """A new event that `fold` does not know gives None, and not a record."""
    for event in (*records.events(), *(e for e in _samples())):
        assert isinstance(folded(event), RunRecord), event


# --- the best trial ----------------------------------------------------------------------------


def test_the_best_is_the_highest_and_the_earliest_of_equals() -> None:
    assert run((trial(0, 0.5), trial(1, 0.9), trial(2, 0.9), trial(3, 0.7))).best == trial(1, 0.9)


def test_the_best_may_be_the_lowest() -> None:
    trials = tuple(trial(n, v, metric="rmse") for n, v in enumerate((3.0, 0.4, 0.9)))
    best = run(trials, objective=Objective("rmse", 0.5, Direction.MINIMIZE)).best
    assert best is not None
    assert best.number == 1


def test_only_evidence_of_complete_trials_counts() -> None:
    trials = (
        failed(0),
        trial(1, 0.99, role=Role.TRAINING),
        trial(2, 0.98, state=TrialState.PRUNED),
        trial(3, 0.97, state=TrialState.STOPPED),
        trial(4, math.nan),
        trial(5, 0.3),
    )
    best = run(trials).best
    assert best is not None
    assert best.number == 5


def test_a_confirmation_is_never_the_best() -> None:
    record = run((trial(0, 0.98),), state=RunState.TRAINING)
    record = folded(
        TrialStarted(1, {}, 1, CONFIRMATION), TrialEnded(trial(1, 0.99, seed=1)), start=record
    )
    assert record.best == record.trials[0]
    assert record.confirmations == (record.trials[1],)


# --- drivers and time --------------------------------------------------------------------------


def test_drivers_that_died_in_a_row_are_counted() -> None:
    me = Process.this()
    record = folded(*records.events(state=RunState.TRAINING), DriverLost(1), DriverLost(2, me))
    assert (record.drivers_lost, record.driver_lost) == (2, record.updated)
    assert record.lost_driver == me
    assert folded(TrialEnded(trial(9)), start=record).drivers_lost == 0
    further = folded(EpochEnded(9, Epoch(1, {}, 1.0), 3), start=record)
    assert further.drivers_lost == 0
    again = folded(DriverLost(1), EpochEnded(9, Epoch(1, {}, 1.0), 3), start=further)
    assert again.drivers_lost == 1, "that far one had come before"
    assert folded(records.events()[-1], start=record).drivers_lost == 0


def test_the_time_of_attempts_that_were_cut_off_counts() -> None:
    def epoch(number: int, seconds: float, trial: int = 1) -> EpochEnded:
        return EpochEnded(trial, Epoch(number, {}, seconds))

    start = TrialStarted(1, {}, 0, "x")
    record = folded(start, epoch(1, 2.0), epoch(2, 3.0))
    assert (record.seconds_trained, record.seconds_lost) == (5.0, 0.0)
    record = folded(start, start=record)
    assert (record.seconds_trained, record.seconds_lost) == (5.0, 5.0)
    record = folded(epoch(1, 2.5), start=record)
    assert record.seconds_trained == 7.5
    record = folded(TrialEnded(replace(trial(1), seconds=10.0)), start=record)
    assert (record.seconds_trained, record.seconds_told) == (15.0, {})


def test_the_time_of_attempts_that_failed_counts_once() -> None:
    start, epoch = TrialStarted(1, {}, 0, "x"), EpochEnded(1, Epoch(1, {}, 2.0))
    attempt = AttemptFailed(1, 1, Failure(Cause.KILLED, "killed"), 5.0)
    record = folded(start, epoch, attempt)
    assert record.seconds_trained == 5.0
    record = folded(start, epoch, start=record)
    assert record.seconds_trained == 7.0
    stopped = replace(trial(1, state=TrialState.STOPPED), seconds=9.0)  # of both attempts
    record = folded(TrialEnded(stopped), start=record)
    assert record.seconds_trained == 9.0
    record = folded(Reopened(), start=record)
    assert record.seconds_trained == 9.0
    assert folded(TrialEnded(replace(trial(1), seconds=8.0)), start=record).seconds_trained == 12.0


def test_of_an_attempt_whose_driver_died_what_its_epochs_told_counts() -> None:
    gone = AttemptFailed(1, 1, Failure(Cause.DRIVER_GONE, "gone"), 0.0)
    record = folded(TrialStarted(1, {}, 0, "x"), EpochEnded(1, Epoch(1, {}, 2.0)), gone)
    assert record.seconds_trained == 2.0
    assert folded(TrialEnded(replace(trial(1), seconds=8.0)), start=record).seconds_trained == 10.0


def test_a_verdict_ends_what_is_under_way_and_its_time_counts() -> None:
    started = TrialStarted(7, {}, 0, "x")
    record = folded(
        *records.events(state=RunState.TRAINING),
        started,
        EpochEnded(7, Epoch(1, {}, 4.0)),
        records.events(state=RunState.STOPPED)[-1],
    )
    assert (record.running, record.cut_off, record.seconds_lost) == ({}, {7: started}, 4.0)


# --- the end, and going on ---------------------------------------------------------------------


def test_a_verdict_is_published_when_that_is_said() -> None:
    record = folded(*records.events())
    assert (record.is_published, record.verdicts) == (False, 1)
    assert folded(Published(), start=record).is_published


def test_a_run_that_is_reopened_is_as_if_its_driver_had_died() -> None:
    stopped = replace(trial(3, state=TrialState.STOPPED), seconds=6.0)
    record = folded(
        *records.events((trial(0, 0.5), stopped), state=RunState.TRAINING),
        TrialStarted(4, {"EPOCHS": 9}, 5, "search", attempt=2),
        StopRequested("by hand"),
        records.events(state=RunState.STOPPED)[-1],
        PatchCommitted("b"),
        Published(),
    )
    again = folded(Reopened(), start=record)
    assert (again.state, again.verdict, again.stop) == (RunState.STARTED, None, None)
    assert (again.is_published, again.tuned_branch, again.verdicts) == (False, None, 1)
    assert list(again.trials) == [0]
    assert again.running == {
        3: TrialStarted(3, dict(stopped.values), stopped.seed, "search"),
        4: TrialStarted(4, {"EPOCHS": 9}, 5, "search", attempt=2),
    }
    assert again.seconds_trained == pytest.approx(record.seconds_trained)
    assert again.origins == record.origins
    assert again.forgiven == {n: each[-1].attempt for n, each in record.failed_attempts.items()}
    assert folded(records.events()[-1], start=again).verdicts == 2


# --- any order ---------------------------------------------------------------------------------

_numbers = st.integers(0, 4)
_values = st.one_of(st.none(), st.floats(0, 1), st.just(math.nan))


def _samples() -> list[Event]:
    return [
        TrialStarted(1, {}, 0, "x"),
        EpochEnded(1, Epoch(1, {}, 0.5)),
        StopRequested("x"),
        MessageQueued("k", "c"),
        MessageSent("k", "c"),
        MessageFailed("k", "c", "e", permanent=True),
        PatchCommitted("b"),
        DataRead({}),
        DriverLost(2),
        Published(),
        Reopened(),
        TrialEnded(trial(2, state=TrialState.STOPPED)),
    ]


_events: st.SearchStrategy[Event] = st.one_of(
    st.sampled_from(_samples()),
    st.sampled_from(list(records.events(warnings=("w",)))),
    st.builds(TrialStarted, _numbers, st.just({}), _numbers, st.sampled_from(("s", CONFIRMATION))),
    st.builds(EpochEnded, _numbers, st.just(Epoch(1, {"accuracy": math.nan}, 0.1))),
    st.builds(lambda n, v: TrialEnded(trial(n, v)), _numbers, _values),
    st.just(Planned(records.DETECTION, records.RMSE, Budget(1, 1, 1), records.PLAN)),
)


@settings(deadline=None)
@given(st.lists(_events, max_size=40), st.integers(0, 40))
def test_no_order_of_events_is_too_much_and_folding_can_pause_anywhere(
    events: list[Event], pause: int
) -> None:
    entries = [Entry(seq, float(seq), event) for seq, event in enumerate(events, 1)]
    whole = fold("r", entries)
    paused = fold("r", entries[pause:], fold("r", entries[:pause]))
    assert repr(paused) == repr(whole)  # NaN equals nothing, but is written alike
    assert isinstance(whole.best, (type(None), type(trial(0))))
    assert whole.verdict is None or whole.running == {} or _restarted(events)
    assert len(whole.origins) >= len(whole.confirmations)


def _restarted(events: list[Event]) -> bool:
    """Whether a trial starts after the verdict, which cannot happen and is only a sequence."""
    last = max(i for i, event in enumerate(events) if isinstance(event, Judged))
    return any(isinstance(event, TrialStarted | Reopened) for event in events[last:])


def test_a_record_is_never_changed_in_place() -> None:
    """What a reader holds stays as it was when more happens."""
    before = run(state=RunState.TRAINING)
    kept = {field.name: repr(getattr(before, field.name)) for field in fields(before)}
    folded(*_samples(), TrialEnded(trial(7)), Warned("w"), start=before)
    assert {field.name: repr(getattr(before, field.name)) for field in fields(before)} == kept
