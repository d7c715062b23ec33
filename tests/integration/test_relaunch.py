"""Failed attempts on a real engine: what each ends as, what cures it, and that nothing is left."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from textwrap import dedent

import pytest

from pushtrain.attempts import Means
from pushtrain.engine.connection import Connection
from pushtrain.engine.docker_engine import DockerEngine
from pushtrain.engine.docker_sandbox import DockerSandbox
from pushtrain.entities import (
    Budget,
    Cause,
    Image,
    Interval,
    Knob,
    KnobKind,
    KnobValues,
    RunState,
    TrialResult,
    TrialSpec,
    TrialState,
)
from pushtrain.events import KnobsFound, Planned, RunStarted
from pushtrain.interfaces import LABEL_RUN, Limits, Proposal, Trainer, TrialWatcher
from pushtrain.relaunch import Policy
from pushtrain.settings import RelaunchSettings
from pushtrain.store import LiveRun, Store
from pushtrain.training import Study, Training
from pushtrain.trial import ContainerTrainer, Job, remove_leftovers
from support import records
from support.training import ACCURACY, LIMITS, MIB, QUICK, job

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("engine")]

BATCH = Knob("batch", KnobKind.INTEGER, "train.py", 1, 0, 64, Interval(1, 64), "?.fit.batch_size")
REPORT = "\nimport pushtrain; pushtrain.report(accuracy=0.9)"
FIRST = """
import os, time
mark = "/pushtrain/checkpoints/trials/0/mark"
is_first = not os.path.exists(mark)
os.makedirs(os.path.dirname(mark), exist_ok=True)
open(mark, "w").close()
print("first" if is_first else "again", flush=True)
"""
"""Tells the first attempt from those after it, by what outlives it."""
LEAVES = """
import ctypes, subprocess, sys
libc = ctypes.CDLL(None)
places = ["/tmp/x", "/dev/shm/x", "x", "../x"]
left = [place for place in places if os.path.exists(place)]
left += ["shared memory"] * (libc.shmget(7, 0, 0) >= 0)
others = [name for name in os.listdir("/proc") if name.isdigit()]
left += ["a process"] * (len(others) > 2)
open("of-first" if is_first else "of-again", "w").close()
if is_first:
    for place in places:
        open(place, "w").write(place)
    libc.shmget(7, 8 * 1024**2, 0o1600)
    subprocess.Popen(["sleep", "600"], start_new_session=True)
    os.kill(os.getpid(), 9)
print(*left or ["nothing is left"])
"""
"""Dies at its first attempt, and tells at the next one what it finds of it."""
WAITS = FIRST + "while is_first: time.sleep(0.1)\n"


@dataclass
class Bench:
    """A run of one trial whose script is given."""

    home: Path
    engine: DockerEngine
    connection: Connection
    image: Image
    run: str
    script: str = ""
    limits: Limits = LIMITS
    most_memory: int = LIMITS.memory
    image_id: str = ""
    on_text: Callable[[str], None] = lambda text: None
    images: list[str] = field(default_factory=list)

    def train(self) -> TrialResult:
        """Trains it to its end."""
        live = LiveRun(Store(self.home / "home").create("x"))
        budget = Budget(1, 1e9, 60.0)
        live.append(RunStarted(records.PUSH, "sha256:d", "1"))
        live.append(Planned(records.DETECTION, ACCURACY, budget, self.image.plan))
        live.append(KnobsFound((BATCH,)))
        policy = Policy(RelaunchSettings(longest_pause=0), self.limits, self.most_memory)

        def make_trainer(index: int) -> Trainer:
            image = replace(self.image, id=self.image_id or self.image.id)
            asked = job(self.home, run=self.run, image=image, limits=policy.limits(live.record))
            return _Heard(self.engine, asked, self.on_text)

        means = Means(make_trainer, policy, self)
        study = Study(_Once(), self._rewritten)
        training = Training(live, lambda: study, means, lambda: 1e9)
        with closing(training):
            ending = training.until_met()
        result = live.record.trials[0]
        met = result.value == 0.9
        assert ending.state is RunState.MET or not met, result.failure
        self.live, self.trials = live, self.home / "trials"
        return result

    def causes(self) -> list[Cause]:
        """Why attempts failed, in their order."""
        return [one.failure.cause for one in self.live.record.failed_attempts.get(0, ())]

    def make_image(self, module: str) -> None:
        """See `pushtrain.attempts.Remedies`."""
        self.images.append(module)
        self.image_id = self.image.id

    def _rewritten(self, values: KnobValues) -> Mapping[str, bytes]:
        text = f"BATCH = {values['batch']}\n{dedent(self.script)}{REPORT}"
        return {"train.py": text.encode()}


class _Heard(ContainerTrainer):
    """A trainer whose attempts' first words are passed on."""

    def __init__(self, engine: DockerEngine, asked: Job, on_text: Callable[[str], None]) -> None:
        super().__init__(engine, asked, replace(QUICK, silence=3))
        self._on_text = on_text

    def train(self, spec: TrialSpec, watcher: TrialWatcher) -> TrialResult:
        on_log = watcher.on_log

        def heard(trial: int, text: str) -> None:
            on_log(trial, text)
            if text.startswith(("first", "again")):
                self._on_text(text)

        watcher.on_log = heard  # type: ignore[method-assign]
        return super().train(spec, watcher)


class _Once:
    """A searcher with one proposal."""

    def __init__(self) -> None:
        self._left = [Proposal(0, {"batch": 64}, "as pushed")]

    def ask(self, refused: Sequence[KnobValues] = ()) -> Proposal | None:
        return self._left.pop() if self._left else None

    def should_prune(self, number: int, epoch: int, value: float) -> bool:
        return False

    def tell(self, result: TrialResult) -> None:
        pass

    def importances(self) -> Mapping[str, float]:
        return {}


@pytest.fixture
def bench(
    run_id: str,
    python_image: Image,
    engine: DockerEngine,
    connection: Connection,
    tmp_path: Path,
) -> Iterator[Bench]:
    run = f"{run_id}-relaunch"
    yield Bench(tmp_path, engine, connection, python_image, run)
    assert not engine.find({LABEL_RUN: run})
    remove_leftovers(engine, run, 9, checkpoints=True)
    assert not engine.volumes({LABEL_RUN: run})


def test_memory_grows_until_it_is_enough(bench: Bench) -> None:
    bench.script = "x = bytearray(300 * 1024**2)"
    bench.most_memory = 1024 * MIB
    result = bench.train()
    assert result.state is TrialState.COMPLETE
    assert bench.causes() == [Cause.OUT_OF_MEMORY] * 2
    assert bench.live.record.memory == 512 * MIB
    assert "memory 128.0 MiB -> 256.0 MiB" in result.notes[0]


def test_where_no_more_memory_is_allowed_the_batch_shrinks(bench: Bench) -> None:
    bench.script = "x = bytearray(BATCH * 4 * 1024**2)"
    result = bench.train()
    assert result.state is TrialState.COMPLETE
    assert result.values == {"batch": 16}
    assert set(bench.causes()) == {Cause.OUT_OF_MEMORY}


def test_shared_memory_grows(bench: Bench) -> None:
    bench.limits = replace(LIMITS, disk=256 * MIB)
    bench.script = "open('/dev/shm/x', 'wb').write(bytes(40 * 1024**2))"
    assert bench.train().state is TrialState.COMPLETE
    assert bench.causes() == [Cause.SHARED_MEMORY]
    assert bench.live.record.shm == 64 * MIB


def test_a_killed_process_is_started_again_by_the_same_worker(bench: Bench) -> None:
    containers: dict[str, str] = {}

    def note(text: str) -> None:
        (state,) = bench.engine.find({LABEL_RUN: bench.run})
        containers[text.split(maxsplit=1)[0]] = state.id

    bench.script, bench.on_text = FIRST + LEAVES, note
    result = bench.train()
    assert (result.state, result.attempts) == (TrialState.COMPLETE, 2)
    assert bench.causes() == [Cause.KILLED]
    assert containers.keys() == {"first", "again"}
    assert containers["first"] == containers["again"]
    log = (bench.trials / "0/log.txt").read_text()
    assert log == "first\n\n[pushtrain: attempt 2]\nagain\nnothing is left\n"
    files = {path.name for path in (bench.trials / "0/out/files").rglob("*") if path.is_file()}
    assert files == {"of-again"}


def test_a_process_that_crashes_is_tried_once_more(bench: Bench) -> None:
    bench.script = FIRST + "if is_first: os.abort()"
    assert bench.train().state is TrialState.COMPLETE
    assert bench.causes() == [Cause.CRASH]


@pytest.mark.parametrize("how", ["kill", "remove", "pause"])
def test_a_container_that_others_end_is_replaced(bench: Bench, how: str) -> None:
    def end(text: str) -> None:
        if text.startswith("again"):
            return
        (state,) = bench.engine.find({LABEL_RUN: bench.run})
        if how == "kill":
            DockerSandbox(bench.connection, state.id).signal("SIGKILL")
        elif how == "remove":
            bench.engine.remove(state.id)
        else:
            with bench.connection.calling("pausing") as client:
                client.pause(state.id)

    bench.script, bench.on_text = WAITS, end
    result = bench.train()
    assert (result.state, result.attempts) == (TrialState.COMPLETE, 2)
    assert bench.causes() == [Cause.STALLED if how == "pause" else Cause.KILLED]


def test_an_image_that_is_gone_is_made_again(bench: Bench) -> None:
    bench.image_id = "sha256:" + "0" * 64
    assert bench.train().state is TrialState.COMPLETE
    assert bench.causes() == [Cause.IMAGE_MISSING]
    assert bench.images == [""]


def test_an_error_of_the_script_is_told_at_once(bench: Bench) -> None:
    bench.script = "raise ValueError('no such data')"
    result = bench.train()
    assert result.failure is not None and result.failure.cause is Cause.USER_ERROR
    assert (result.failure.file, result.failure.line) == ("train.py", 2)
    assert result.attempts == 1 and bench.causes() == []
