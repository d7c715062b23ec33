"""What follows a failed attempt, cause by cause, and that it comes to an end."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushtrain.entities import Cause, Epoch, Failure, Interval, Knob, KnobKind, KnobValues
from pushtrain.events import AttemptFailed, Entry, EpochEnded, Event, TrialStarted
from pushtrain.record import MISHAPS, RunRecord, fold
from pushtrain.relaunch import Policy, Relaunch, next_attempt
from pushtrain.settings import RelaunchSettings
from support.training import LIMITS, MIB

BATCH = Knob(
    "batch_size",
    KnobKind.INTEGER,
    "train.py",
    9,
    0,
    64,
    Interval(8, 256, log=True),
    "keras.Model.fit.batch_size",
)
STARTED = TrialStarted(3, {"batch_size": 32}, 7, "search")
RULES = RelaunchSettings()
CAUSES = st.lists(st.sampled_from(sorted(Cause)), max_size=60)


def failure(cause: Cause, subject: str = "") -> Failure:
    return Failure(cause, f"it was {cause}", subject=subject)


def after(record: RunRecord, *causes: Cause, most: int = LIMITS.memory) -> list[Relaunch]:
    """Goes on as long as the policy says; what it said each time."""
    policy, started, said = Policy(RULES, LIMITS, most), STARTED, list[Relaunch]()
    record = fold("r", [Entry(1, 0.0, started)], record)
    for number, cause in enumerate(causes, 2):
        again = policy.after(record, started, failure(cause))
        if again is None:
            break
        said.append(again)
        values = None if again.values is None else dict(again.values)
        failed = AttemptFailed(
            started.trial,
            started.attempt,
            failure(cause),
            1.0,
            memory=again.memory,
            shm=again.shm,
            values=values,
        )
        record = fold("r", [Entry(number, 0.0, failed)], record)
        started = next_attempt(record, started)
        record = fold("r", [Entry(number, 0.0, started)], record)
    return said


def told(*events: Event) -> RunRecord:
    """The record of a run whose journal says so."""
    return fold("r", [Entry(number, 0.0, event) for number, event in enumerate(events, 1)])


def epoch(number: int) -> EpochEnded:
    return EpochEnded(STARTED.trial, Epoch(number, {}, 1.0), None)


@pytest.mark.parametrize(
    "cause",
    [
        Cause.USER_ERROR,
        Cause.REJECTED,
        Cause.NOT_A_NUMBER,
        Cause.NO_VALUE,
        Cause.DOWNLOAD,
        Cause.DISK_LIMIT,
        Cause.TIME_LIMIT,
        Cause.TOO_MANY_PROCESSES,
        Cause.BAD_OUTPUT,
    ],
)
def test_what_comes_out_the_same_again_is_not_tried_again(cause: Cause) -> None:
    assert after(RunRecord("r"), cause) == []


def test_memory_grows_to_what_is_allowed_and_then_the_batch_shrinks() -> None:
    record = RunRecord("r", knobs=(BATCH,))
    said = after(record, *[Cause.OUT_OF_MEMORY] * 20, most=300 * MIB)
    assert [one.memory for one in said[:3]] == [256 * MIB, 300 * MIB, None]
    assert said[0].remedy == "memory 128.0 MiB -> 256.0 MiB"
    batches = [one.values["batch_size"] for one in said if one.values]
    assert batches == [16, 8, 4, 2, 1]
    assert said[2].remedy == "batch_size 32 -> 16, since memory is at its limit (300.0 MiB)"


def test_without_a_batch_size_to_shrink_memory_is_the_end() -> None:
    assert after(RunRecord("r"), Cause.OUT_OF_MEMORY) == []
    said = after(RunRecord("r"), *[Cause.OUT_OF_MEMORY] * 9, most=2 * LIMITS.memory)
    assert [one.memory for one in said] == [2 * LIMITS.memory]


def test_a_smaller_batch_begins_again_and_more_memory_goes_on() -> None:
    smaller = AttemptFailed(3, 1, failure(Cause.OUT_OF_MEMORY), 1.0, values={"batch_size": 16})
    again = next_attempt(told(STARTED, smaller), STARTED)
    assert (again.attempt, again.values, again.resumes) == (2, {"batch_size": 16}, False)
    larger = AttemptFailed(3, 1, failure(Cause.OUT_OF_MEMORY), 1.0, memory=MIB)
    second = replace(STARTED, attempt=2, resumes=True)
    assert next_attempt(told(STARTED, larger), STARTED) == second
    assert next_attempt(told(STARTED), STARTED) == second


def test_an_attempt_of_which_nothing_was_heard_leaves_the_checkpoints_of_other_values() -> None:
    """A driver may die before its order to begin again, which removes them, has arrived."""
    smaller = AttemptFailed(3, 1, failure(Cause.OUT_OF_MEMORY), 1.0, values={"batch_size": 16})
    gone = AttemptFailed(3, 2, failure(Cause.DRIVER_GONE), 0.0)
    again = next_attempt(told(STARTED, smaller), STARTED)
    third = next_attempt(told(STARTED, smaller, again, gone), again)
    assert (third.attempt, third.values, third.resumes) == (3, {"batch_size": 16}, False)
    fourth = next_attempt(told(STARTED, smaller, again, gone, third, epoch(1)), third)
    assert fourth.resumes, "its own checkpoints are of its own values"


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 3)), max_size=12))
def test_no_attempt_goes_on_from_what_other_values_left(
    attempts: list[tuple[bool, bool, int]],
) -> None:
    """Each ends with other values or the same, before its order arrives or after some epochs."""
    started, events, batch = STARTED, list[Event](), 32
    kept: KnobValues | None = None
    for changes, arrives, epochs in attempts:
        events.append(started)
        if arrives:
            kept = kept if started.resumes else None
            assert kept in (None, started.values)
            for number in range(1, epochs + 1):
                kept = started.values
                events.append(epoch(number))
        batch += changes
        values = {"batch_size": batch} if changes else None
        cause = Cause.OUT_OF_MEMORY if changes else Cause.KILLED
        events.append(AttemptFailed(3, started.attempt, failure(cause), 1.0, values=values))
        started = next_attempt(told(*events), started)
        assert started.resumes or kept != started.values, "nothing is lost in vain"


def test_shared_memory_grows_up_to_memory() -> None:
    said = after(RunRecord("r"), *[Cause.SHARED_MEMORY] * 9)
    assert [one.shm for one in said] == [64 * MIB, 128 * MIB]


def test_images_are_made_again() -> None:
    (first, second) = after(RunRecord("r"), *[Cause.IMAGE_MISSING] * 9)
    assert first.needs_image and second.needs_image and not first.module
    policy = Policy(RULES, LIMITS, LIMITS.memory)
    again = policy.after(RunRecord("r"), STARTED, failure(Cause.MISSING_MODULE, "xlrd"))
    assert again is not None and again.module == "xlrd" and again.needs_image
    assert len(after(RunRecord("r"), *[Cause.MISSING_MODULE] * 9)) == 1


def test_pauses_grow_with_jitter_and_are_the_same_again() -> None:
    said = [one.pause for one in after(RunRecord("r"), *[Cause.ENGINE_GONE] * 40)]
    assert len(said) == RULES.engine_gone.attempts - 1
    assert said == [one.pause for one in after(RunRecord("r"), *[Cause.ENGINE_GONE] * 40)]
    most = [min(2 * 2.0**n, RULES.longest_pause) for n in range(len(said))]
    assert all(bound / 2 <= pause <= bound for pause, bound in zip(said, most, strict=True))
    other = after(RunRecord("other"), Cause.ENGINE_GONE)[0].pause
    assert other != said[0]


def test_mishaps_in_a_row_open_the_breaker_and_an_epoch_closes_it() -> None:
    policy = Policy(RULES, LIMITS, LIMITS.memory)
    mishap = failure(Cause.KILLED)
    record = RunRecord("r", in_vain=RULES.breaker - 2)
    assert policy.after(record, STARTED, mishap) is not None
    record = replace(record, in_vain=RULES.breaker - 1)
    assert policy.is_broken(record, mishap) and policy.after(record, STARTED, mishap) is None
    assert not policy.is_broken(record, failure(Cause.OUT_OF_MEMORY))
    assert len(after(RunRecord("r"), *[Cause.KILLED] * 20)) == RULES.breaker - 1


@given(CAUSES)
def test_it_comes_to_an_end_within_the_rules_whatever_happens(causes: list[Cause]) -> None:
    said = after(RunRecord("r", knobs=(BATCH,)), *causes, most=2**40)
    happened = causes[: len(said)]
    for cause in set(happened):
        rule = getattr(RULES, cause.name.lower())
        assert happened.count(cause) < rule.attempts
    row = 0
    for cause in happened:
        row = row + 1 if cause in MISHAPS else 0
        assert row < RULES.breaker
    assert all(0 <= one.pause <= RULES.longest_pause for one in said)


def hiccups(*causes: Cause, epoch: int = 0) -> RunRecord:
    """A run whose trial failed so often, and then finished an epoch."""
    events = [
        STARTED,
        *(
            AttemptFailed(STARTED.trial, attempt, failure(cause), 1.0)
            for attempt, cause in enumerate(causes, 1)
        ),
        *([EpochEnded(STARTED.trial, Epoch(epoch, {}, 1.0), 9)] if epoch else []),
    ]
    return fold("r", [Entry(number, 0.0, event) for number, event in enumerate(events, 1)])


def test_misfortunes_count_until_an_attempt_gets_further() -> None:
    policy = Policy(RULES, LIMITS, LIMITS.memory)
    most = RULES.engine_gone.attempts - 1
    gone = failure(Cause.ENGINE_GONE)
    before = hiccups(*[Cause.ENGINE_GONE] * most)
    assert policy.after(before, STARTED, gone) is None
    further = hiccups(*[Cause.ENGINE_GONE] * most, epoch=1)
    again = policy.after(further, STARTED, gone)
    assert again is not None and again.pause <= RULES.engine_gone.pause


def test_what_is_cured_by_a_change_counts_however_far_an_attempt_gets() -> None:
    policy = Policy(RULES, LIMITS, LIMITS.memory)
    missing = failure(Cause.MISSING_MODULE, "xlrd")
    assert policy.after(hiccups(Cause.MISSING_MODULE, epoch=1), STARTED, missing) is None


def test_an_epoch_that_comes_again_forgives_nothing() -> None:
    """An attempt without checkpoints gets as far as the one before, and no further."""
    record = hiccups(epoch=5)
    lost = AttemptFailed(STARTED.trial, 1, failure(Cause.CRASH), 1.0)
    again = replace(STARTED, attempt=2)
    told = [EpochEnded(STARTED.trial, Epoch(n, {}, 1.0), 9) for n in range(1, 6)]
    entries = [Entry(number, 0.0, event) for number, event in enumerate((lost, again, *told), 3)]
    record = fold("r", entries, record)
    policy = Policy(RULES, LIMITS, LIMITS.memory)
    assert policy.after(record, again, failure(Cause.CRASH)) is None
