"""The trainer against workers that keep to the protocol, break it, die, or say nothing."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fakes.engine import READY, FakeEngine, FakeSandbox, Said, ended, outcome, well
from pushtrain.entities import Cause, Failure, TrialResult, TrialState
from pushtrain.errors import EngineUnreachable, SandboxError, TrainingError
from pushtrain.interfaces import LABEL_ATTEMPT, LABEL_LEASE, LABEL_RUN, LABEL_TRIAL
from pushtrain.trial import ContainerTrainer, Patience
from support.training import Watcher, job, trial

PATIENT = Patience(ready=5, grace=0, slack=5)
IMPATIENT = Patience(ready=0.2, grace=0, slack=0.2)
Order = dict[str, Any]


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Callable[..., tuple[ContainerTrainer, FakeEngine]]]:
    """Makes a trainer on an engine whose worker behaves as told."""
    trainers: list[ContainerTrainer] = []

    def make(
        behave: Callable[[FakeSandbox, Order], Any] = well,
        greeting: tuple[Said, ...] = (READY,),
        patience: Patience = PATIENT,
        **fields: Any,
    ) -> tuple[ContainerTrainer, FakeEngine]:
        engine = FakeEngine(behave, greeting)
        trainers.append(ContainerTrainer(engine, job(tmp_path, **fields), patience))
        return trainers[-1], engine

    yield make
    for trainer in trainers:
        trainer.close()


Made = Callable[..., tuple[ContainerTrainer, FakeEngine]]


def begun(order: Order) -> Said:
    return {"event": "trial_started", "trial": order["trial"], "attempt": order["attempt"]}


def failure(result: TrialResult) -> Failure:
    assert result.state is TrialState.FAILED and result.failure is not None, result
    return result.failure


# --- the usual ---------------------------------------------------------------------------------


def test_a_worker_gets_what_it_needs_before_its_start(made: Made, tmp_path: Path) -> None:
    trainer, engine = made(worker=3)
    (tmp_path / "source/data").mkdir()
    (tmp_path / "source/data/x.csv").write_text("1")
    assert trainer.start() == {}
    (sandbox,) = engine.sandboxes
    assert {
        "/pushtrain/worker.json",
        "/pushtrain/lib/__main__.py",
        "/pushtrain/lib/pushtrain/__init__.py",
        "/pushtrain/lib/pushtrain/script.py",
        "/pushtrain/lib/pushtrain/worker/loop.py",
        "/pushtrain/source/train.py",
        "/pushtrain/source/data/x.csv",
    } <= sandbox.files.keys()
    assert sandbox.spec.name == "pushtrain-r1-3-0"
    assert sandbox.spec.checkpoints == "pushtrain-r1-3"
    assert sandbox.spec.labels == {
        LABEL_RUN: "r1",
        LABEL_TRIAL: "worker-3",
        LABEL_ATTEMPT: "1",
        LABEL_LEASE: "0",
    }
    assert sandbox.spec.command == ("/usr/bin/python3", "-s", "-B", "-u", "/pushtrain/lib")


def test_one_worker_serves_many_trials(made: Made) -> None:
    trainer, engine = made()
    trainer.start()
    for number in range(5):
        watcher = Watcher()
        result = trainer.train(trial(number, x=number), watcher)
        assert (result.number, result.state, result.value) == (number, TrialState.COMPLETE, 0.9)
        assert result.values == {"x": number}
        assert result.versions == {"python": "3.12.1", "keras": "3.1"}
        assert (watcher.text, watcher.memory, len(watcher.epochs)) == ("hello\n", [1000], 1)
    assert len(engine.sandboxes) == 1


def test_files_come_out_beside_the_log(made: Made, tmp_path: Path) -> None:
    trainer, engine = made()
    trainer.start()
    engine.sandboxes[0].output = {"result.json": b"{}", "model/m.keras": b"weights"}
    result = trainer.train(trial(1), Watcher())
    assert [(a.path, a.size) for a in result.artifacts] == [("out/model/m.keras", 7)]
    assert (tmp_path / "trials/1/out/model/m.keras").read_bytes() == b"weights"
    assert (tmp_path / "trials/1/log.txt").read_text() == "hello\n"


def test_a_result_that_is_too_long_for_a_line_is_read_from_its_file(made: Made) -> None:
    def behave(sandbox: FakeSandbox, order: Order) -> Iterator[Said]:
        long = outcome(order, notes=["from the file"])
        sandbox.output = {"result.json": json.dumps(long).encode()}
        yield {"event": "trial_ended", "trial": order["trial"], "result": None}

    trainer, _ = made(behave)
    trainer.start()
    result = trainer.train(trial(1), Watcher())
    assert result.value == 0.9 and result.notes == ("from the file",)


def test_pruning_asks_the_worker_by_a_signal(made: Made) -> None:
    def behave(sandbox: FakeSandbox, order: Order) -> Iterator[Said]:
        metrics = {"val_accuracy": 0.1}
        epoch = {"event": "epoch", "trial": 1, "epochs": 9, "seconds": 0.1, "metrics": metrics}
        yield {**epoch, "epoch": 1}
        yield {**epoch, "epoch": 2}
        assert sandbox.signals.get(timeout=5) == "SIGUSR1"
        yield ended(order, exit={"code": None, "signal": 15, "stopped": True})

    trainer, engine = made(behave)
    trainer.start()
    result = trainer.train(trial(1), Watcher(prune=lambda number: number >= 1))
    assert (result.state, result.failure, result.value) == (TrialState.PRUNED, None, None)
    assert engine.sandboxes[0].signals.empty(), "asked once"
    assert len(engine.running) == 1


def test_what_was_left_out_of_the_source_is_told_with_every_trial(
    made: Made, tmp_path: Path
) -> None:
    trainer, _ = made()
    (tmp_path / "source/away").symlink_to("/etc/passwd")
    trainer.start()
    for number in (0, 1):
        result = trainer.train(trial(number), Watcher())
        assert result.notes == ("source left out: away (a link that leaves the tree)",)


# --- workers that break the protocol -----------------------------------------------------------


def says(*said: Said) -> Callable[[FakeSandbox, Order], Iterator[Said]]:
    def behave(sandbox: FakeSandbox, order: Order) -> Iterator[Said]:
        yield begun(order)
        yield from said

    return behave


BROKEN: dict[str, tuple[Said, str]] = {
    "no JSON": (b"hello", "Invalid JSON"),
    "too long": (b"x" * (256 * 1024 + 1), "where 262144 are allowed"),
    "no event": ({"event": "nobody"}, "nobody"),
    "another version": (b'{"v": 2, "seq": 3, "time": 1, "event": "log"}', "v: Input should be 1"),
    "a repeated event": (
        b'{"v": 1, "seq": 2, "time": 1, "event": "log", "trial": 1, "text": ""}',
        "event 2 after event 2",
    ),
    "another trial": ({"event": "log", "trial": 2, "text": "x"}, "of trial 2"),
    "another attempt": (
        {"event": "trial_started", "trial": 1, "attempt": 9},
        "attempt 9 instead of 1",
    ),
    "ready again": (READY, "'ready' in the middle of a trial"),
    "a wrong type": ({"event": "alive", "trial": 1, "memory": "much", "disk": 0}, "memory"),
    "negative memory": ({"event": "alive", "trial": 1, "memory": -1, "disk": 0}, "memory"),
    "another's result": (
        {"event": "trial_ended", "trial": 1, "result": outcome({"trial": 7, "attempt": 1})},
        "the result of trial 7",
    ),
    "no result": ({"event": "trial_ended", "trial": 1, "result": None}, "result.json"),
    "an unknown role": (
        ended(
            {"trial": 1, "attempt": 1},
            measurements=[{"metric": "a", "value": 1, "role": "x", "source": ""}],
        ),
        "role",
    ),
    "a value of words": (
        ended(
            {"trial": 1, "attempt": 1},
            measurements=[{"metric": "a", "value": "1", "role": "printed", "source": ""}],
        ),
        "value",
    ),
    "a crooked matrix": (
        ended(
            {"trial": 1, "attempt": 1}, confusion={"labels": ["a", "b"], "matrix": [[1], [2, 3]]}
        ),
        "one row and one column",
    ),
    "epochs that go back": (
        ended(
            {"trial": 1, "attempt": 1},
            epochs=[{"number": n, "metrics": {}, "seconds": 0} for n in (2, 1)],
        ),
        "in their order",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_bad_output_is_named_and_its_worker_is_replaced(made: Made, what: str) -> None:
    said, problem = BROKEN[what]
    trainer, engine = made(says(said))
    trainer.start()
    failed = failure(trainer.train(trial(1), Watcher()))
    assert failed.cause is Cause.BAD_OUTPUT
    assert problem in failed.message and "breaks the protocol" in failed.message
    assert engine.running == [], "it is not trusted with another trial"
    engine.behave = well
    assert trainer.train(trial(2), Watcher()).state is TrialState.COMPLETE
    assert [s.spec.labels[LABEL_ATTEMPT] for s in engine.sandboxes] == ["1", "2"]


def test_an_epoch_that_comes_again_is_bad_output(made: Made) -> None:
    epoch = {"event": "epoch", "trial": 1, "epoch": 1, "seconds": 0.1, "metrics": {}}
    trainer, _ = made(says(epoch, epoch))
    trainer.start()
    failed = failure(trainer.train(trial(1), Watcher()))
    assert failed.cause is Cause.BAD_OUTPUT and "epoch 1 after epoch 1" in failed.message


def test_what_a_worker_says_between_two_trials_costs_it_its_place(made: Made) -> None:
    said = threading.Event()

    def behave(sandbox: FakeSandbox, order: Order) -> Iterator[Said]:
        yield ended(order)
        if order["trial"] == 1:
            yield {"event": "log", "trial": 1, "text": "once more"}
            said.set()

    trainer, engine = made(behave)
    trainer.start()
    trainer.train(trial(1), Watcher())
    assert said.wait(5)
    assert trainer.train(trial(2), Watcher()).state is TrialState.COMPLETE
    assert len(engine.sandboxes) == 2


@pytest.mark.parametrize("path", ["../x", "/x", "a//b", "a/../../b", "a\nb", "a\x1b[2J", "\udcff"])
def test_files_with_crooked_names_are_refused(made: Made, tmp_path: Path, path: str) -> None:
    trainer, engine = made()
    trainer.start()
    engine.sandboxes[0].output = {"result.json": b"{}", path: b"x"}
    assert failure(trainer.train(trial(1), Watcher())).cause is Cause.BAD_OUTPUT
    assert not (tmp_path / "trials/1/out").exists(), "whole or not at all"
    assert not list(tmp_path.rglob("x"))


# --- workers that die --------------------------------------------------------------------------


def dies(exit_code: int, **facts: Any) -> Callable[[FakeSandbox, Order], Iterator[Said]]:
    def behave(sandbox: FakeSandbox, order: Order) -> Iterator[Said]:
        yield begun(order)
        sandbox.end(exit_code, **facts)

    return behave


@pytest.mark.parametrize(
    ("behave", "cause", "message"),
    [
        (dies(137, oom_killed=True), Cause.OUT_OF_MEMORY, "(exit 137, OOMKilled)"),
        (dies(137), Cause.KILLED, "(exit 137)"),
        (dies(1, error="boom\x1b"), Cause.KILLED, "(exit 1) in image pushtrain/none:1: boom "),
        (lambda sandbox, order: sandbox.remove() or [], Cause.KILLED, "removed from outside"),
    ],
)
def test_a_death_is_told_by_its_facts_and_the_next_trial_gets_a_new_worker(
    made: Made, behave: Any, cause: Cause, message: str
) -> None:
    trainer, engine = made(behave)
    trainer.start()
    failed = failure(trainer.train(trial(1), Watcher()))
    assert failed.cause is cause and message in failed.message and failed.hint
    engine.behave = well
    assert trainer.train(trial(2), Watcher()).state is TrialState.COMPLETE


def test_an_engine_that_goes_away_is_no_result(made: Made) -> None:
    trainer, engine = made(says(EngineUnreachable("no Docker Engine answers at fake://")))
    trainer.start()
    with pytest.raises(EngineUnreachable):
        trainer.train(trial(1), Watcher())
    assert engine.running == []


def test_a_container_that_went_with_its_engine(made: Made) -> None:
    def behave(sandbox: FakeSandbox, order: Order) -> Iterator[Said]:
        yield begun(order)
        sandbox.engine_was_away = True
        sandbox.end(255)

    trainer, _ = made(behave)
    trainer.start()
    assert failure(trainer.train(trial(1), Watcher())).cause is Cause.ENGINE_GONE


def test_a_worker_of_which_nothing_is_heard_is_ended(made: Made) -> None:
    def behave(sandbox: FakeSandbox, order: Order) -> Iterator[Said]:
        yield begun(order)
        sandbox.is_removed.wait()

    trainer, engine = made(behave, patience=Patience(ready=5, silence=0.1))
    trainer.start()
    failed = failure(trainer.train(trial(1), Watcher()))
    assert failed.cause is Cause.STALLED and "nothing was heard" in failed.message
    assert engine.running == []


def test_an_attempt_goes_on_where_the_one_before_left(made: Made) -> None:
    orders: list[Order] = []

    def behave(sandbox: FakeSandbox, order: Order) -> Iterator[Said]:
        orders.append(order)
        yield begun(order)
        if order["resume"]:
            yield {"event": "resumed", "trial": 1, "epochs": 2}
            yield ended(order)
        else:
            sandbox.end(137)

    trainer, engine = made(behave)
    watcher = Watcher()
    trainer.start()
    assert failure(trainer.train(trial(1), watcher)).cause is Cause.KILLED
    again = trainer.train(replace(trial(1), attempt=2, resumes=True), watcher)
    assert again.state is TrialState.COMPLETE
    assert [order["attempt"] for order in orders] == [1, 2]
    assert watcher.resumed == [(1, 2, 2)]
    assert len({sandbox.spec.checkpoints for sandbox in engine.sandboxes}) == 1
    trainer.close()
    assert len(engine.volumes({LABEL_RUN: "r1"})) == 1, "checkpoints outlive the worker"


def test_an_attempt_whose_process_died_is_followed_by_one_in_the_same_worker(made: Made) -> None:
    """What it has imported is as good as before; only the order has another name."""

    def behave(sandbox: FakeSandbox, order: Order) -> Iterator[Said]:
        yield begun(order)
        if order["attempt"] == 1:
            yield ended(order, exit={"code": None, "signal": 9})
        else:
            yield ended(order)

    trainer, engine = made(behave)
    trainer.start()
    first = trainer.train(trial(1), Watcher())
    assert failure(first).cause is Cause.KILLED
    again = trainer.train(replace(trial(1), attempt=2, resumes=True), Watcher())
    assert again.state is TrialState.COMPLETE
    (sandbox,) = engine.sandboxes
    assert {"/pushtrain/inbox/1-1/READY", "/pushtrain/inbox/1-2/READY"} <= sandbox.files.keys()


def test_a_worker_that_never_ends_its_trial_is_ended(made: Made) -> None:
    def behave(sandbox: FakeSandbox, order: Order) -> Iterator[Said]:
        yield begun(order)
        sandbox.is_removed.wait()

    trainer, engine = made(behave, patience=IMPATIENT, trial_seconds=0.1)
    trainer.start()
    failed = failure(trainer.train(trial(1), Watcher()))
    assert failed.cause is Cause.TIME_LIMIT and "its worker did not end it either" in failed.message
    assert engine.running == []


def test_files_that_cannot_be_read_tell_a_dead_worker_from_a_bad_one(made: Made) -> None:
    def refuses(is_dead: bool) -> Callable[[FakeSandbox, Order], Iterator[Said]]:
        def behave(sandbox: FakeSandbox, order: Order) -> Iterator[Said]:
            sandbox.fetch_error = SandboxError("out/x came out and is refused: a symbolic link")
            if is_dead:
                sandbox.end(137, oom_killed=True)
            yield ended(order)

        return behave

    for is_dead, cause in ((False, Cause.BAD_OUTPUT), (True, Cause.OUT_OF_MEMORY)):
        trainer, _ = made(refuses(is_dead))
        trainer.start()
        assert failure(trainer.train(trial(1), Watcher())).cause is cause
        trainer.close()


# --- starting ----------------------------------------------------------------------------------


def test_data_has_its_fingerprints_from_the_worker(made: Made) -> None:
    trainer, _ = made(greeting=({**READY, "data": {"/data": "sha256:1"}},))
    assert trainer.start() == {"/data": "sha256:1"}
    assert trainer.start() == {"/data": "sha256:1"}


IMPORT_FAILED = {
    "event": "import_failed",
    "module": "keras",
    "type": "ModuleNotFoundError",
    "message": "No module named 'optree'",
    "traceback": "...",
}


@pytest.mark.parametrize(
    ("greeting", "kind", "message"),
    [
        ((IMPORT_FAILED,), TrainingError, "keras cannot be imported in image pushtrain/none:1"),
        ((b"Traceback", READY), SandboxError, "breaks the protocol"),
        (({"event": "log", "trial": 1, "text": ""},), SandboxError, "began with 'log'"),
        ((), SandboxError, "was not ready within 0.2 s"),
        ((EngineUnreachable("gone"),), EngineUnreachable, "gone"),
    ],
)
def test_a_worker_that_does_not_come_up_ends_the_start_and_leaves_nothing(
    made: Made, greeting: tuple[Said, ...], kind: type[Exception], message: str
) -> None:
    trainer, engine = made(greeting=greeting, patience=IMPATIENT)
    with pytest.raises(kind, match=message):
        trainer.start()
    assert engine.running == []


def test_a_worker_that_dies_at_once_is_told_by_its_facts(tmp_path: Path) -> None:
    class DiesAtOnce(FakeEngine):
        def launch(self, spec: Any, files: Any = ()) -> FakeSandbox:
            sandbox = super().launch(spec, files)
            sandbox.end(137, oom_killed=True)
            return sandbox

    trainer = ContainerTrainer(DiesAtOnce(greeting=()), job(tmp_path), IMPATIENT)
    with pytest.raises(SandboxError, match=r"exit 137, OOMKilled.*limits\.memory") as caught:
        trainer.start()
    assert caught.value.facts["cause"] is Cause.OUT_OF_MEMORY


def test_a_container_that_a_dead_driver_left_makes_room(made: Made, tmp_path: Path) -> None:
    trainer, engine = made()
    dead = ContainerTrainer(engine, job(tmp_path))
    dead.start()
    trainer.start()
    assert len(engine.running) == 1 and len(engine.sandboxes) == 2
    assert trainer.train(trial(1), Watcher()).state is TrialState.COMPLETE


# --- stopping ----------------------------------------------------------------------------------


def test_stop_does_not_wait_for_a_worker_that_says_nothing(made: Made) -> None:
    def behave(sandbox: FakeSandbox, order: Order) -> Iterator[Said]:
        yield {"event": "log", "trial": 1, "text": "x"}
        sandbox.is_removed.wait()

    trainer, engine = made(behave)
    trainer.start()
    watcher = Watcher()
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(trainer.train, trial(1), watcher)
        assert watcher.began.wait(5)
        began = time.monotonic()
        trainer.stop()
        result = future.result(5)
    assert time.monotonic() - began < 2
    assert result.state is TrialState.STOPPED and engine.running == []


def test_stop_ends_a_start(made: Made) -> None:
    trainer, engine = made(greeting=(), patience=Patience(ready=60))
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(trainer.start)
        while not engine.sandboxes:
            time.sleep(0.001)
        trainer.stop()
        assert future.result(5) == {}
    assert engine.running == []
    assert trainer.train(trial(1), Watcher()).state is TrialState.STOPPED


def test_a_trial_that_ends_as_it_is_stopped_counts_as_stopped(made: Made) -> None:
    trainer, _ = made()
    trainer.start()
    watcher = Watcher(on_text=lambda text: trainer.stop())
    result = trainer.train(trial(1), watcher)
    assert (result.state, result.value) == (TrialState.STOPPED, None)
