"""The worker as process 1 of a real container, with the same user as the scripts that it trains."""

from __future__ import annotations

import itertools
import os
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pushtrain.engine.docker_engine import DockerEngine
from pushtrain.entities import Cause, Image, TrialState
from pushtrain.interfaces import LABEL_RUN, Mount
from pushtrain.trial import ContainerTrainer
from pushtrain.worker import fingerprint
from support.training import QUICK, Watcher, job, trial

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("engine")]

Train = Callable[[str], str]


@pytest.fixture(scope="module")
def trainer(
    engine: DockerEngine,
    python_image: Image,
    run_id: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ContainerTrainer]:
    home = tmp_path_factory.mktemp("worker")
    made = ContainerTrainer(engine, job(home, run=f"{run_id}-worker", image=python_image), QUICK)
    made.start()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def train(trainer: ContainerTrainer) -> Train:
    """Trains a script that must do well; gives what it printed."""
    numbers = itertools.count()

    def one(script: str) -> str:
        watcher = Watcher()
        well = "\nimport pushtrain; pushtrain.report(accuracy=0.9)\n"
        result = trainer.train(trial(next(numbers), textwrap.dedent(script) + well), watcher)
        assert result.state is TrialState.COMPLETE, (result, watcher.text)
        return watcher.text

    return one


@pytest.fixture
def containers(engine: DockerEngine, run_id: str) -> Callable[[], list[str]]:
    return lambda: [state.id for state in engine.find({LABEL_RUN: f"{run_id}-worker"})]


def test_process_1_is_out_of_a_scripts_reach(
    train: Train, containers: Callable[[], list[str]]
) -> None:
    before = containers()

    printed = train(
        """
        import os, signal
        for path in ("/proc/1/fd", "/proc/1/map_files", "/proc/1/task/1/fd"):
            try:
                print(path, os.listdir(path))
            except PermissionError:
                pass
        for path in ("/proc/1/mem", "/proc/1/environ", "/proc/1/maps", "/proc/1/fd/1"):
            try:
                print(path, open(path, "rb"))
            except PermissionError:
                pass
        for number in signal.valid_signals():
            os.kill(1, number)
        print("done")
        """
    )

    assert printed == "done\n"
    assert train("print('next')") == "next\n"
    assert containers() == before


def test_memory_that_was_shared_is_gone_with_its_trial(train: Train) -> None:
    train(
        """
        import ctypes, os, mmap
        open("/dev/shm/left", "wb").write(b"x" * 1024)
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.shmget(7, 1 << 20, 0o1600) >= 0, os.strerror(ctypes.get_errno())
        assert libc.semget(7, 1, 0o1600) >= 0, os.strerror(ctypes.get_errno())
        assert libc.msgget(7, 0o1600) >= 0, os.strerror(ctypes.get_errno())
        open("/tmp/left", "wb").write(b"x")
        os.makedirs("/tmp/home/.cache/left")
        """
    )

    printed = train(
        """
        import os
        for kind in ("shm", "sem", "msg"):
            print(kind, len(open(f"/proc/sysvipc/{kind}").read().splitlines()) - 1)
        print(os.listdir("/dev/shm"), os.listdir("/tmp"), os.listdir("/tmp/home"))
        """
    )

    assert printed == "shm 0\nsem 0\nmsg 0\n[] ['home'] []\n"


@pytest.mark.parametrize(
    "meddling",
    [
        "import resource; resource.prlimit(1, resource.RLIMIT_NOFILE, (200, 200))",
        "import os; os.sched_setaffinity(1, {min(os.sched_getaffinity(1))})",
        "import os; os.setpriority(os.PRIO_PROCESS, 1, 19)",
    ],
)
def test_who_meddles_with_the_worker_loses_its_own_trial_alone(
    trainer: ContainerTrainer, train: Train, meddling: str
) -> None:
    if "affinity" in meddling and len(os.sched_getaffinity(0)) < 2:
        meddling = "import os; os.setpriority(os.PRIO_PROCESS, 1, 19)"

    failure = trainer.train(trial(1000, meddling), Watcher()).failure
    after = train("import os, resource; print(os.getpriority(0, 0), resource.getrlimit(7)[0])")

    assert failure is not None
    assert failure.cause is Cause.KILLED
    assert "has changed its worker's limits" in failure.message
    assert after == "0 4096\n"


def test_an_ordinary_environment_is_found(train: Train) -> None:
    printed = train(
        """
        import getpass, os, sys, tempfile
        print(os.getuid(), os.path.expanduser("~"), tempfile.gettempdir(), os.environ["USER"])
        print(os.environ["MPLBACKEND"], os.environ["OMP_NUM_THREADS"], "DISPLAY" in os.environ)
        print(sorted(name for name in os.environ if name.startswith("PUSHTRAIN")))
        print(sys.flags.hash_randomization, os.environ["PYTHONHASHSEED"])
        """
    )

    cores = min(2, len(os.sched_getaffinity(0)))
    assert printed.splitlines() == [
        "1000 /tmp/home /tmp trainer",
        f"Agg {cores} False",
        "['PUSHTRAIN_CHECKPOINT', 'PUSHTRAIN_CHECKPOINT_BYTES', 'PUSHTRAIN_REPORT']",
        "0 0",
    ]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_pool_of_processes_works(train: Train, method: str) -> None:
    printed = train(
        f"""
        import multiprocessing
        def double(n):
            return 2 * n
        if __name__ == "__main__":
            with multiprocessing.get_context("{method}").Pool(2) as pool:
                print(pool.map(double, range(3)))
        """
    )

    assert "[0, 2, 4]" in printed


def test_data_is_fingerprinted_where_it_is_mounted(
    engine: DockerEngine, python_image: Image, run_id: str, tmp_path: Path
) -> None:
    data = tmp_path / "cats"
    (data / "tabby").mkdir(parents=True)
    (data / "tabby/1.txt").write_text("meow")
    data.chmod(0o755)
    tmp_path.chmod(0o755)
    mount = Mount(str(data), "/data/cats")
    asked = job(tmp_path, run=f"{run_id}-data", image=python_image, mounts=(mount,))
    trainer = ContainerTrainer(engine, asked, QUICK)
    watcher = Watcher()
    try:
        fingerprints = trainer.start()
        trainer.train(trial(0, "print(open('/data/cats/tabby/1.txt').read())"), watcher)
    finally:
        trainer.close()

    assert fingerprints == {"/data/cats": fingerprint.of(data)}
    assert watcher.text == "meow\n"


LOOP = """
import os, pushtrain, random
walk = []
with pushtrain.checkpoint() as saved:
    walk = saved.state.get("walk", walk)
    while len(walk) < 12:
        walk.append(random.random())
        is_cut_off = len(walk) == 5 and not saved.state
        if is_cut_off:
            open("/pushtrain/checkpoints/trials/{number}/files/raw", "w").write("left")
        print(len(walk), flush=True)
        if is_cut_off:
            {end}
        while not saved.save(walk=walk):
            pass
print(walk, open(os.environ["PUSHTRAIN_CHECKPOINT"] + "/raw").read())
import pushtrain; pushtrain.report(accuracy=0.9)
"""


@pytest.mark.parametrize(("end", "number"), [("the container", 2000), ("the script", 2001)])
def test_a_loop_goes_on_in_the_next_container(
    trainer: ContainerTrainer,
    engine: DockerEngine,
    containers: Callable[[], list[str]],
    end: str,
    number: int,
) -> None:
    """Killed from outside with all that is in it, or by itself alone, and trained once more."""
    waits = "while True: pass"
    kills = "os.kill(os.getpid(), 9)"
    script = LOOP.format(end=waits if end == "the container" else kills, number=number)

    def kill(text: str) -> None:
        if end == "the container" and "5" in text.split():
            for container in containers():
                engine.remove(container)

    spec = trial(number, script)
    first = trainer.train(spec, Watcher(on_text=kill))
    watcher = Watcher()
    second = trainer.train(replace(spec, attempt=2, resumes=True), watcher)
    undisturbed = Watcher()
    whole = script.replace(waits if end == "the container" else kills, "pass")
    third = trainer.train(replace(trial(number, whole), attempt=3), undisturbed)

    assert first.failure is not None and first.failure.cause is Cause.KILLED, first
    assert (second.state, third.state) == (TrialState.COMPLETE, TrialState.COMPLETE), watcher.text
    assert watcher.text.startswith("5\n6\n")
    assert undisturbed.text.startswith("1\n2\n")
    assert watcher.text.splitlines()[-1] == undisturbed.text.splitlines()[-1]
    assert watcher.resumed == [(number, 2, 0)]
