"""Why a trial failed, from the facts of its end."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fakes.engine import outcome
from pushtrain.entities import Cause, Failure, Measurement, Role, TrialSpec
from pushtrain.trial.failure import explain
from pushtrain.trial.job import Trial
from pushtrain.trial.protocol import TrialOutcome, parse_result
from support.training import LIMITS, job

GOOD = Measurement("accuracy", 0.9, Role.HELD_OUT, "model.evaluate at train.py:41")


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    return Trial(job(tmp_path), TrialSpec(4, {}, 7))


def said(**fields: Any) -> TrialOutcome:
    return parse_result(json.dumps(outcome({"trial": 4, "attempt": 1}, **fields)).encode())


def ended(code: int | None = 1, signal: int | None = None, **facts: bool) -> dict[str, Any]:
    return {"code": code, "signal": signal, **facts}


def raised(kind: str, message: str = "") -> dict[str, Any]:
    return {"type": kind, "message": message, "file": "train.py", "line": 9}


def told(trial: Trial, *, measured: Measurement | None = None, **fields: Any) -> Failure:
    found = explain(trial, said(**fields), measured)
    assert found is not None
    return found


def test_a_trial_that_did_well_has_none(trial: Trial) -> None:
    assert explain(trial, said(), GOOD) is None


CASES: dict[str, tuple[dict[str, Any], Cause, str]] = {
    "stall": ({"exit": ended(None, 15, stalled=True)}, Cause.STALLED, "did nothing"),
    "time": ({"exit": ended(None, 15, timed_out=True)}, Cause.TIME_LIMIT, "longer than 30 s"),
    "killed for memory": (
        {"exit": ended(None, 9, oom_killed=True)},
        Cause.OUT_OF_MEMORY,
        "ran out of memory (limit 128.0 MiB) in image pushtrain/none:1",
    ),
    "no memory to allocate": (
        {"exit": ended(), "error": raised("MemoryError")},
        Cause.OUT_OF_MEMORY,
        "at train.py:9",
    ),
    "no memory for a tensor": (
        {"exit": ended(), "error": raised("tensorflow.errors.ResourceExhaustedError", "OOM")},
        Cause.OUT_OF_MEMORY,
        "limit 128.0 MiB",
    ),
    "disk": ({"exit": ended(None, 9, disk_exceeded=True)}, Cause.DISK_LIMIT, "16.0 MiB on disk"),
    "file too large": (
        {"exit": ended(), "error": raised("OSError", "[Errno 27] File too large")},
        Cause.DISK_LIMIT,
        "at train.py:9",
    ),
    "no space": (
        {"exit": ended(), "error": raised("OSError", "[Errno 28] No space left on device")},
        Cause.DISK_FULL,
        "the disk of the engine's host is full at train.py:9",
    ),
    "no space in memory": (
        {"exit": ended(), "error": raised("OSError", "[Errno 28] No space left: '/dev/shm/x'")},
        Cause.SHARED_MEMORY,
        "16.0 MiB in /dev/shm or /tmp at train.py:9",
    ),
    "bus error": ({"exit": ended(None, 7)}, Cause.SHARED_MEMORY, "/dev/shm"),
    "killed by somebody": ({"exit": ended(None, 9)}, Cause.KILLED, "killed from outside"),
    "a module that is missing": (
        {"exit": ended(), "error": raised("ModuleNotFoundError", "No module named 'xlrd.book'")},
        Cause.MISSING_MODULE,
        "imports xlrd.book, which image pushtrain/none:1 does not hold at train.py:9",
    ),
    "a module that is no module": (
        {"exit": ended(), "error": raised("ModuleNotFoundError", "No module named '--index=x'")},
        Cause.USER_ERROR,
        "--index",
    ),
    "processes": ({"exit": ended(pids_exceeded=True)}, Cause.TOO_MANY_PROCESSES, "64 processes"),
    "threads": (
        {"exit": ended(), "error": raised("BlockingIOError", "[Errno 11] Resource ...")},
        Cause.TOO_MANY_PROCESSES,
        "at train.py:9",
    ),
    "crash": ({"exit": ended(None, 11)}, Cause.CRASH, "ended by SIGSEGV"),
    "unknown signal": ({"exit": ended(None, 40)}, Cause.CRASH, "ended by signal 40"),
    "stopped by others": ({"exit": ended(stopped=True)}, Cause.KILLED, "not ours"),
    "exit code": ({"exit": ended(3)}, Cause.USER_ERROR, "left with exit code 3"),
    "error": (
        {"exit": ended(), "error": raised("ValueError", "no data\nsecond line")},
        Cause.USER_ERROR,
        "failed at train.py:9: ValueError: no data",
    ),
    "error without words": (
        {"exit": ended(), "error": raised("AssertionError")},
        Cause.USER_ERROR,
        "failed at train.py:9: AssertionError",
    ),
}


@pytest.mark.parametrize("what", CASES)
def test_each_end_has_its_cause(trial: Trial, what: str) -> None:
    fields, cause, message = CASES[what]
    failure = told(trial, **fields)
    assert failure.cause is cause
    assert message in failure.message and "trial 4 of run r1" in failure.message
    assert failure.hint and "second line" not in failure.message


def test_limits_that_were_hit_by_a_script_that_did_well_do_not_fail_it(trial: Trial) -> None:
    facts = {"code": 0, "signal": None, "oom_killed": True, "pids_exceeded": True}
    assert explain(trial, said(exit=facts), GOOD) is None


def test_nothing_measured_names_what_was(trial: Trial) -> None:
    failure = told(
        trial, measurements=[{"metric": "mse", "value": 1, "role": "held-out", "source": "x"}]
    )
    assert failure.cause is Cause.NO_VALUE
    assert "only mse was" in failure.message and "pushtrain.report(accuracy=" in failure.hint
    assert "nothing was" in told(trial, measurements=[]).message


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_told(trial: Trial, value: float) -> None:
    failure = told(trial, measured=replace(GOOD, value=value))
    assert failure.cause is Cause.NOT_A_NUMBER and "train.py:41" in failure.message


# --- downloads ---------------------------------------------------------------------------------

TRIED = [{"host": "data.example.com", "port": 443, "file": "train.py", "line": 5}]


def test_a_download_is_told_apart_from_a_crash(trial: Trial) -> None:
    failure = told(trial, exit=ended(), error=raised("URLError", "[Errno -3]"), network=TRIED)
    assert failure.cause is Cause.DOWNLOAD
    assert "tried to reach data.example.com:443 at train.py:5" in failure.message
    assert (failure.file, failure.line) == ("train.py", 5)
    assert "[data]" in failure.hint and "limits.network = true" in failure.hint


def test_a_download_that_was_not_needed_fails_nothing(trial: Trial) -> None:
    assert explain(trial, said(network=TRIED), GOOD) is None


def test_a_download_that_left_nothing_to_measure_is_the_cause(trial: Trial) -> None:
    assert told(trial, network=TRIED).cause is Cause.DOWNLOAD


def test_a_limit_weighs_more_than_a_download(trial: Trial) -> None:
    assert told(trial, exit=ended(None, 9, timed_out=True), network=TRIED).cause is Cause.TIME_LIMIT


def test_with_a_network_an_error_is_an_error(trial: Trial) -> None:
    limits = replace(LIMITS, network=True)
    free = Trial(replace(trial.job, limits=limits), trial.spec)
    failure = told(free, exit=ended(), error=raised("URLError", "404"), network=TRIED)
    assert failure.cause is Cause.USER_ERROR


def test_what_was_exceeded_explains_why_it_took_so_long(trial: Trial) -> None:
    for fact, cause in (("disk_exceeded", Cause.DISK_LIMIT), ("oom_killed", Cause.OUT_OF_MEMORY)):
        failure = told(trial, exit=ended(None, 9, timed_out=True, **{fact: True}))
        assert failure.cause is cause
