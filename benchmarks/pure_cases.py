"""What needs no engine: detection, rewriting, and the study's own cost."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from table import Row

from pushtrain.attempts import Means
from pushtrain.detect import detect
from pushtrain.entities import Budget, Objective, Push, RunState, Wishes
from pushtrain.events import Planned, RunStarted
from pushtrain.knobs import SourceRewriter, find_knobs
from pushtrain.relaunch import Policy
from pushtrain.settings import KnobSettings, RelaunchSettings
from pushtrain.store import LiveRun, Store
from pushtrain.study import Memory, OptunaSearcher
from pushtrain.training import Study, Training

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from fakes.trainer import FakeTrainer
from support import records
from support.training import LIMITS

MODELS = Path(__file__).parents[1] / "model"
SCRIPTS = sorted(MODELS.glob("*/*.py"))


def timed(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def detection() -> list[Row]:
    """200 scripts that differ in their text: nothing is remembered from one to the next."""
    with tempfile.TemporaryDirectory() as place:
        paths = []
        for number in range(200):
            path = Path(place) / f"script_{number}.py"
            text = SCRIPTS[number % len(SCRIPTS)].read_text("utf-8")
            path.write_text(f"{text}\n# variant {number}\nVARIANT = {number}\n", "utf-8")
            paths.append(path)
        detect(SCRIPTS[0])  # loads the rules
        seconds = timed(lambda: [detect(path) for path in paths])
    return [Row("detection", "200 scripts", seconds, "2 s", 2.0, "under 1")]


def rewriting() -> list[Row]:
    """The rewriter parses a source once, whatever number of values it puts into it."""
    root = MODELS / "digits-cnn"
    found = detect(root)
    knobs = find_knobs(root, found, KnobSettings())
    values = {knob.name: knob.value for knob in knobs}
    changed = {**values, "epochs": 7}
    rewriter = SourceRewriter(root, knobs)
    rewriter(changed)
    warm = timed(lambda: [rewriter({**changed, "epochs": n}) for n in range(1, 201)]) / 200

    def anew(number: int) -> None:
        with tempfile.TemporaryDirectory() as place:
            copy = Path(place) / "copy"
            shutil.copytree(root, copy)
            script = copy / found.entry
            script.write_text(f"{script.read_text()}\n# {number}\n")
            SourceRewriter(copy, knobs)(changed)

    cold = timed(lambda: list(map(anew, range(20)))) / 20
    return [Row("rewriting", "a source seen for the first time", cold, "again", warm)]


class _NoImages:
    """No attempt fails, so that no image is made."""

    def make_image(self, module: str) -> None:
        raise AssertionError(f"an attempt failed for want of {module or 'an image'}")


def study() -> list[Row]:
    """A whole run of 1,000 trials whose training costs nothing: journal, search, memory."""
    knobs = records.run().knobs
    objective = Objective("accuracy", 2.0)  # never met
    with tempfile.TemporaryDirectory() as place:
        store = Store(Path(place))
        live = LiveRun(store.create("benchmark"))
        example = records.run()
        assert example.detection is not None and example.plan is not None
        live.append(RunStarted(Push("benchmark", "0" * 40), "", "0", Wishes()))
        budget = Budget(1000, 1e6, 1e6)
        live.append(Planned(example.detection, objective, budget, example.plan, knobs))
        moments: list[float] = []

        def score(values: object, seed: int) -> float:
            moments.append(time.perf_counter())
            return zlib.crc32(repr(values).encode()) % 1000 / 1000

        trainer = FakeTrainer(live.folder.trials, objective, score, epochs=1)
        memory = Memory(Path(place) / "study.log", objective)
        searcher = OptunaSearcher(knobs, objective, 0, memory, run=live.id)
        policy = Policy(RelaunchSettings(), LIMITS, LIMITS.memory)
        means = Means(lambda index: trainer, policy, _NoImages())
        searched = Study(searcher, lambda values: {})
        started = time.perf_counter()
        with closing(Training(live, lambda: searched, means, lambda: 1e6)) as training:
            ending = training.until_met()
        seconds = time.perf_counter() - started
        assert ending.state is RunState.SPENT, ending
    calls = len(moments) // 1000
    starts = moments[::calls]
    first = (starts[100] - starts[0]) / 100
    last = (starts[-1] - starts[-101]) / 100
    print(f"study: {len(starts)} trials in {seconds:.1f} s, {seconds / 1000:.4f} s each")
    return [Row("study", "a trial of the last 100", last, "of the first 100", first)]
