"""A script with a loop of its own ends as if nothing had happened, wherever it is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from typing import TypeAlias

import pytest

import pushtrain
from pushtrain.trial.protocol import Logged, Resumed
from support.workers import MIB, Trained, WorkerProcess

Launch: TypeAlias = Callable[..., WorkerProcess]
Kill: TypeAlias = tuple[str, int]

DIE = """
import functools, os, signal, sys
from pushtrain.worker import checkpoints, scripted
scripted.Pace = functools.partial(checkpoints.Pace, 1e9)
what, left = (sys.argv[1], int(sys.argv[2])) if len(sys.argv) > 2 else ("", 0)
def die(at):
    global left
    left -= at == what
    if at == what and left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
for name in ("fsync", "replace"):
    def dies(*arguments, name=name, call=getattr(os, name), **options):
        die(name)
        return call(*arguments, **options)
    setattr(os, name, dies)
"""
"""Kills the script at the n-th step of its own, or of bringing a checkpoint to the disk."""

PURE = """
import random, pushtrain
from die import die
walk, best = [0.0], 0.0
log = open("log.txt", "w")
with pushtrain.checkpoint() as saved:
    walk, best = saved.state.get("walk", walk), saved.state.get("best", best)
    for step in range(len(walk), 30):
        walk.append(walk[-1] + random.gauss(0, 1))
        log.write(f"{walk[-1]}\\n")
        pushtrain.report(best=max(walk), **{f"step_{step}": walk[-1]})
        die("step")
        saved.save(walk=walk, best=max(walk))
        die("step")
    die("end")
print(walk, random.random())
pushtrain.report(last=walk[-1])
open("model.txt", "w").write(repr(walk))
"""

NUMPY = """
import numpy as np, pickle, pushtrain
from die import die
x = np.random.rand(64, 3)
y = x @ [1.0, -2.0, 0.5]
own = np.random.default_rng(4)
w, first, kind = np.zeros(3), 0, "descent"
with pushtrain.checkpoint("descent") as saved:
    if saved.state:
        w, first, own = saved.state["w"], saved.state["step"], saved.state["own"]
        kind = saved.state["kind"]
    for step in range(first, 40):
        rows = np.random.permutation(64)[:16]
        w -= 0.1 * x[rows].T @ (x[rows] @ w - y[rows]) / 16 + own.normal(0, 1e-3, 3)
        np.save(f"weights-{step % 3}.npy", w)
        die("step")
        saved.save(w=w, step=step + 1, own=own, kind=kind)
    die("end")
print(w.tobytes().hex(), np.random.rand(), own.random())
pushtrain.report(mse=float(((x @ w - y) ** 2).mean()))
# A pickle shows which objects are one and the same.
pickle.dump((w, np.zeros(1), kind, "descent"), open("model.pkl", "wb"))
"""

SCRIPTS = {"pure Python": PURE, "NumPy": NUMPY}


def train(launch: Launch, script: str, *kills: Kill) -> Trained:
    """Trains a script, whose attempts but the last one are killed there."""
    for number, kill in enumerate((*kills, ("", 0))):
        worker = launch({"train.py": script, "die.py": DIE})
        args = tuple(map(str, kill))
        trained = worker.train(args=args, attempt=number + 1, resume=number > 0)
        assert trained.outcome.exit.signal == (signal.SIGKILL if kill[0] else None), trained.printed
    return trained


def came_to(trained: Trained) -> tuple[object, ...]:
    """All that must be the same."""
    outcome = trained.outcome
    return trained.printed, trained.files, outcome.measurements, outcome.notes


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[object, ...]]:
    found = {}
    for name, script in SCRIPTS.items():
        root = tmp_path_factory.mktemp("undisturbed") / "own"
        worker = WorkerProcess(root, {"train.py": script, "die.py": DIE})
        worker.hear()
        trained = worker.train()
        assert (trained.outcome.exit.code, trained.outcome.resumed) == (0, None), trained.printed
        found[name] = came_to(trained)
        worker.close()
    return found


@pytest.mark.parametrize(
    "kills",
    [
        [("step", 17)],
        [("end", 1)],
        [("step", 9), ("step", 8), ("step", 1)],
        [("fsync", 9), ("fsync", 8)],
        [("replace", 3), ("replace", 1), ("step", 20)],
    ],
    ids=str,
)
@pytest.mark.parametrize("name", SCRIPTS)
def test_it_ends_as_if_nothing_had_happened(
    launch: Launch, undisturbed: dict[str, tuple[object, ...]], name: str, kills: list[Kill]
) -> None:
    killed = train(launch, SCRIPTS[name], *kills)

    assert came_to(killed) == undisturbed[name]
    assert killed.outcome.resumed == 0
    assert [event.epochs for event in killed.events if isinstance(event, Resumed)] == [0]


def test_what_an_adapter_saw_in_the_block_is_in_the_result_of_whoever_goes_on_after_it(
    launch: Launch,
) -> None:
    adapter = """
MODULES = ("framework",)
def install(session):
    import framework
    framework.fit = lambda step: session.parameters({"step": step, "rates": [0.1]})
"""
    script = """
import framework, pushtrain
from die import die
with pushtrain.checkpoint() as saved:
    for step in range(saved.state.get("step", 0), 4):
        framework.fit(step)
        saved.save(step=step + 1)
die("end")
"""
    source = {"train.py": script, "die.py": DIE, "framework.py": ""}
    launch(source, adapters={"following": adapter}).train(args=("end", "1"))
    trained = launch(source, adapters={"following": adapter}).train(attempt=2, resume=True)

    assert trained.outcome.resumed == 0
    assert trained.outcome.parameters == {"step": 3, "rates": [0.1]}


def test_it_goes_on_where_it_was_and_not_before(launch: Launch) -> None:
    script = """
import pushtrain
from die import die
with pushtrain.checkpoint() as saved:
    for step in range(saved.state.get("step", 0), 5):
        print("step", step)
        die("step")
        saved.save(step=step + 1)
"""
    assert train(launch, script, ("step", 4)).printed == "step 3\nstep 4\n"


def test_several_loops_have_their_own(launch: Launch) -> None:
    script = """
import pushtrain
from die import die
for name in ("one", "two"):
    with pushtrain.checkpoint(name) as saved:
        for step in range(saved.state.get("step", 0), 3):
            die("step")
            print(name, step)
            saved.save(step=step + 1)
"""
    killed = train(launch, script, ("step", 5))

    assert killed.printed == "two 1\ntwo 2\n"


@pytest.mark.parametrize(
    ("names", "message"),
    [(("a", "a"), "give each loop its own name"), (("../a",), "no name for a checkpoint")],
)
def test_a_name_that_cannot_be_is_refused(
    worker: WorkerProcess, names: tuple[str, ...], message: str
) -> None:
    loops = "\n".join(f"with pushtrain.checkpoint({name!r}): pass" for name in names)

    error = worker.train(f"import pushtrain\n{loops}").outcome.error

    assert error is not None
    assert error.type == "ValueError"
    assert message in error.message


def test_who_is_asked_to_stop_saves_first(launch: Launch) -> None:
    script = """
import pushtrain, time
step = 0
with pushtrain.checkpoint() as saved:
    print("from", saved.state.get("step"), flush=True)
    while step < 1_000_000:
        step += 1
        time.sleep(0.001)
        saved.save(step=step)
"""
    worker = launch({"train.py": script}, grace=30.0)
    trial = worker.begin()
    worker.until(Logged)
    worker.process.send_signal(signal.SIGUSR1)
    stopped = worker.over(trial)
    again = launch({"train.py": script}, grace=30.0)
    again.begin(resume=True)

    assert stopped.outcome.exit.code == 143
    assert int(again.until(Logged).text.split()[1]) >= 1


def test_what_cannot_be_saved_or_read_costs_only_time(launch: Launch) -> None:
    script = f"""
import os, pushtrain, random
class Gone:
    pass
with pushtrain.checkpoint() as saved:
    print(saved.state)
    print(saved.save(big=random.randbytes({5 * MIB})))
    print(saved.save(small=Gone()))
    del Gone
"""
    first = launch({"train.py": script}, disk=4 * MIB).train()
    second = launch({"train.py": script}, disk=4 * MIB).train(
        "import pushtrain\nwith pushtrain.checkpoint() as saved: print(saved.state)", resume=True
    )

    assert first.printed.startswith("{}\n")
    assert "a checkpoint is not saved" in first.printed
    assert first.printed.endswith("False\nFalse\n")  # the second one so soon is not due
    assert second.outcome.resumed is None
    assert second.printed.endswith("{}\n")


def test_a_state_that_cannot_be_read_begins_again(launch: Launch) -> None:
    saves = """
import pushtrain
class Gone:
    pass
with pushtrain.checkpoint() as saved:
    print(saved.save(it=Gone()))
"""
    assert launch({"train.py": saves}).train().printed == "True\n"

    reads = "import pushtrain\nwith pushtrain.checkpoint() as saved: print(saved.state)"
    second = launch({"train.py": saves}).train(reads, resume=True)

    assert second.outcome.exit.code == 0
    assert "begins again: AttributeError" in second.printed
    assert second.printed.endswith("{}\n")


def test_a_directory_outlives_the_attempt(launch: Launch) -> None:
    """The way for programs that import nothing of ours, here one that the script starts."""
    program = """
file=$PUSHTRAIN_CHECKPOINT/count
count=$(cat $file 2>/dev/null || echo 0)
echo $((count + 1)) > $file.part && sync $file.part && mv $file.part $file
cat $file; kill -9 $PPID
"""
    script = f"import subprocess; subprocess.run(['sh', '-c', {program!r}])"
    counts = [launch({"train.py": script}).train(resume=True).printed for _ in range(3)]

    assert counts == ["1\n", "2\n", "3\n"]


def test_a_process_that_the_script_starts_goes_on_as_well(launch: Launch) -> None:
    loop = """
import os, pushtrain, signal
with pushtrain.checkpoint("inner") as saved:
    print(saved.state.get("step", 0), flush=True)
    saved.save(step=saved.state.get("step", 0) + 1)
"""
    script = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {loop!r}])"
    steps = [launch({"train.py": script}).train(resume=True).printed for _ in range(3)]

    assert steps == ["0\n", "1\n", "2\n"]


def test_without_a_place_for_it_nothing_is_kept_and_all_works(worker: WorkerProcess) -> None:
    closed = worker.root / "checkpoints"
    closed.rename(worker.root / "elsewhere")
    closed.write_text("in its place")

    trained = worker.train(
        """
        import os, pushtrain
        with pushtrain.checkpoint() as saved:
            print(saved.state, saved.save(step=1), "PUSHTRAIN_CHECKPOINT" in os.environ)
        """
    )

    closed.unlink()
    assert trained.printed == "{} False False\n"


def test_elsewhere_it_does_nothing() -> None:
    with pushtrain.checkpoint() as saved:
        assert saved.state == {}
        assert saved.save(step=1, anything=lambda: None) is False
    code = "import pushtrain, sys; print([m for m in sys.modules if 'pushtrain.worker' in m])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    assert printed == b"[]\n"


COUNTER = """
import sys
MODULES = ("json",)

def install(session):
    def train():
        session.counts["fit"] = session.counts.get("fit", 0) + 1
        session.counts["epoch"] = session.counts.get("epoch", 0) + 1
        session.epoch({"loss": 1.0}, 1.0, None)
        session.measure("loss", session.counts["fit"], "validation", "train")
        return session.counts["fit"]
    sys.modules["json"].train = train
"""
"""Stands for a framework's adapter, whose checkpoints go by the number of a fit."""


def test_what_is_not_done_again_still_counts(launch: Launch) -> None:
    script = """
import json, pushtrain
from die import die
json.train()
with pushtrain.checkpoint() as saved:
    for step in range(saved.state.get("step", 0), 4):
        last = json.train()
        saved.save(step=step + 1)
        die("step")
print(json.train())
"""
    counter = {"counter": COUNTER}
    source = {"train.py": script, "die.py": DIE}
    undisturbed = launch(source, adapters=counter).train()
    launch(source, adapters=counter).train(args=("step", "3"))
    killed = launch(source, adapters=counter).train(resume=True, attempt=2)

    assert killed.printed == undisturbed.printed == "6\n"
    assert killed.outcome.epochs == undisturbed.outcome.epochs
    assert killed.outcome.measurements == undisturbed.outcome.measurements
    assert killed.outcome.resumed == 4
