"""What a trial leaves for its next attempt is there then, and only then."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pytest

from pushtrain.trial.protocol import EpochPassed, Resumed
from support.workers import MIB, WorkerProcess

Launch: TypeAlias = Callable[..., WorkerProcess]
Start: TypeAlias = Callable[..., WorkerProcess]

OWN = "../../../checkpoints/trials/1"
"""A trial's checkpoints, from where its script runs."""
ADAPTER = """
MODULES = ("json",)

def install(session):
    saved = session.checkpoints.load("steps") if session.resumes else None
    done = saved.header["done"] if saved else 0
    for step in range(done):
        session.epoch({"loss": 1.0}, 1.0, 3)
    if saved:
        session.resumed(done)
    session.epoch({"loss": 1.0}, 1.0, 3)
    session.checkpoints.save("steps", {"done": done + 1}, {})
"""
"""Stands for a framework's: a step for each attempt, and what was before is told again."""


@pytest.fixture
def start(launch: Launch) -> Start:
    """Starts workers with that adapter."""

    def one(script: str = "import json") -> WorkerProcess:
        return launch({"train.py": script}, adapters={"steps": ADAPTER}, disk=4 * MIB)

    return one


def test_the_next_attempt_continues(start: Start) -> None:
    first, second, third = [start().train(resume=True, attempt=n) for n in (1, 2, 3)]

    assert [attempt.outcome.resumed for attempt in (first, second, third)] == [None, 1, 2]
    told = [event for event in third.events if isinstance(event, EpochPassed | Resumed)]
    assert [event.event for event in told] == ["epoch", "epoch", "resumed", "epoch"]
    assert [event.epoch for event in third.epochs] == [1, 2, 3]
    assert len(third.outcome.epochs) == 3


def test_an_attempt_may_follow_in_the_same_worker(start: Start) -> None:
    """Nothing that the dead one left is there any more, but its checkpoints."""
    worker = start()
    dies = "import os, signal\nopen('left', 'w')\nos.kill(os.getpid(), signal.SIGKILL)"
    dead = worker.train(dies)
    assert (dead.outcome.exit.signal, list(dead.files)) == (9, ["files/left"])

    again = worker.train(again=1, resume=True, attempt=2)

    assert (again.outcome.attempt, again.outcome.resumed, again.files) == (2, 1, {})
    assert worker.train("import json").outcome.resumed is None, "orders go on"


def test_the_time_limit_is_that_of_all_attempts_together(launch: Launch) -> None:
    """A trial that one attempt could not end in time does not pass by being killed."""
    script = """
        import os, time
        import pushtrain
        with pushtrain.checkpoint() as saved:
            is_first = not saved.state
            time.sleep(1.5)
            saved.save(done=True)
            if is_first:
                os.kill(os.getpid(), 9)
        """
    first = launch({"train.py": ""}).train(script, time_limit=2.5)
    second = launch({"train.py": ""}).train(script, time_limit=2.5, resume=True, attempt=2)

    assert (first.outcome.exit.signal, first.outcome.exit.timed_out) == (9, False)
    assert second.outcome.resumed == 0 and second.outcome.exit.timed_out


def test_without_the_word_it_begins_anew(start: Start) -> None:
    start().train()

    again = start().train(attempt=2)

    assert again.outcome.resumed is None
    assert len(again.outcome.epochs) == 1
    assert start().train(resume=True, attempt=3).outcome.resumed == 1


def test_another_trials_checkpoints_go(start: Start) -> None:
    worker = start()
    worker.train()

    assert worker.train(resume=True).outcome.resumed is None
    assert [path.name for path in (worker.root / "checkpoints/trials").iterdir()] == ["2"]


def test_checkpoints_have_room_of_their_own(start: Start) -> None:
    both = start(
        f"""
for place in ("own", {OWN!r} + "/own"):
    open(place, "wb").write(bytes({3 * MIB}))
"""
    ).train()
    assert (both.outcome.exit.code, both.outcome.exit.disk_exceeded) == (0, False), both.printed

    more = start(f"open({OWN!r} + '/more', 'wb').write(bytes({2 * MIB}))").train(resume=True)
    assert more.outcome.exit.disk_exceeded


@pytest.mark.parametrize(
    "spoil",
    [
        "",
        "os.symlink(os.path.abspath('outside'), own)",
        "os.mkdir(own); open(own + '/steps.0', 'w').write('x'); os.chmod(own, 0)",
        "os.mkdir(own); os.chdir(own)\n"
        "for _ in range(50): os.mkdir('d' * 200); os.chdir('d' * 200)",
    ],
    ids=["missing", "a link", "closed", "deeper than a path"],
)
def test_whatever_a_script_makes_of_them_the_next_attempt_begins(start: Start, spoil: str) -> None:
    spoils = f"import os, shutil\nown = os.path.abspath({OWN!r})\nshutil.rmtree(own)\n{spoil}"
    assert start(spoils).train().outcome.exit.disk_exceeded == ("range" in spoil)

    again = start().train(resume=True, attempt=2)

    assert again.outcome.resumed is None
    assert again.outcome.exit.code == 0 or again.outcome.exit.disk_exceeded
    assert start().train(attempt=3).outcome.exit.code == 0
