"""A script runs in the worker as `python script.py` would run it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from support.workers import WorkerProcess

LOOKING_AROUND = """
    import gc, json, os, sys
    import __main__
    print(json.dumps({
        "name": __name__, "argv": sys.argv, "path": sys.path[0], "cwd": os.getcwd(),
        "file": __file__, "main": __main__.__dict__ is globals(), "spec": __spec__,
        "package": __package__, "cached": __cached__, "doc": __doc__,
        "annotations": __annotations__, "stdin": sys.stdin.read(), "debug": __debug__,
        "names": sorted(globals()), "collects": gc.isenabled(),
    }))
    x: int
    """


def test_it_finds_what_python_would_give_it(worker: WorkerProcess, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(dedent(LOOKING_AROUND))
    plain = subprocess.run(
        [sys.executable, "train.py", "--fast", "7"],
        cwd=tmp_path,
        capture_output=True,
        check=True,
        stdin=subprocess.DEVNULL,
    )
    expected = json.loads(plain.stdout.decode().replace(str(tmp_path), "HERE"))

    trained = worker.train(LOOKING_AROUND, args=("--fast", "7"))

    source = str(trained.out.parent / "source")
    assert json.loads(trained.printed.replace(source, "HERE")) == expected
    assert trained.outcome.exit.code == 0
    assert trained.outcome.error is None
    assert trained.outcome.notes == []


def test_no_depth_of_its_calls_is_slower_than_another(worker: WorkerProcess) -> None:
    """CPython 3.11 and later map and unmap memory where a call crosses a chunk of its stack."""
    trained = worker.train(
        """
        import resource

        def faults():
            return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

        def leaf():
            a = b = c = d = e = f = g = h = i = j = k = l = m = n = o = p = q = r = s = t = 0

        def at(depth):
            if depth:
                return at(depth - 1)
            before = faults()
            for _ in range(1000):
                leaf()
            return faults() - before

        print(max(at(depth) for depth in range(300)))
        """
    )
    assert int(trained.printed) < 500


def test_it_runs_where_it_is_told_and_imports_its_neighbours(worker: WorkerProcess) -> None:
    worker.put(
        {
            "code/main.py": "import sys, tools\n"
            "print(sys.argv[0], open('data.txt').read(), tools.n)",
            "code/tools.py": "n = 3",
            "data.txt": "of the root",
            "code/data.txt": "of the code",
        }
    )

    at_the_root = worker.train(entry="code/main.py")
    in_the_code = worker.train(entry="code/main.py", workdir="code")

    assert at_the_root.printed == "code/main.py of the root 3\n"
    assert in_the_code.printed == "main.py of the code 3\n"


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_its_classes_and_functions_reach_other_processes(
    worker: WorkerProcess, method: str
) -> None:
    trained = worker.train(
        f"""
        import multiprocessing, pickle

        class Point:
            x = 1

        def double(n):
            return 2 * n

        if __name__ == "__main__":
            assert type(pickle.loads(pickle.dumps(Point()))) is Point
            with multiprocessing.get_context("{method}").Pool(2) as pool:
                print(pool.map(double, [1, 2, 3]))
        """
    )

    assert trained.printed == "[2, 4, 6]\n"
    assert trained.outcome.exit.code == 0


def test_what_python_does_at_the_end_is_done(worker: WorkerProcess) -> None:
    trained = worker.train(
        """
        import atexit, concurrent.futures, ctypes, os, sys, threading

        ready = threading.Event()
        def work():
            ready.wait()
            print("a thread ends")

        threading.Thread(target=work).start()
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        pool = concurrent.futures.ThreadPoolExecutor()
        pool.submit(print, "a pool works")
        atexit.register(print, "an exit function")
        file = open("never-closed.txt", "w")
        file.write("all of it")
        binary = open("never-closed.bin", "wb")
        binary.write(b"all of it")
        sys.stdout.write("no newline")
        ready.set()
        """
    )

    assert "a thread ends" in trained.printed
    assert "a pool works" in trained.printed
    assert trained.printed.endswith("an exit function\n")
    assert trained.files == {
        "files/never-closed.txt": b"all of it",
        "files/never-closed.bin": b"all of it",
    }


def test_text_without_a_newline_comes_out(worker: WorkerProcess) -> None:
    assert worker.train("print('no newline', end='')").printed == "no newline"


def test_both_streams_keep_their_order(worker: WorkerProcess) -> None:
    trained = worker.train(
        """
        import os, subprocess, sys
        for number in range(3):
            print("out", number)
            print("err", number, file=sys.stderr)
            subprocess.run(["echo", "program", str(number)])
        print("caf\\u00e9", "\\udcff")
        """
    )

    lines = [f"{what} {n}" for n in range(3) for what in ("out", "err", "program")]
    assert trained.printed.splitlines() == [*lines, "café �"]


def test_an_order_changes_files_and_environment_of_its_own_trial_only(
    worker: WorkerProcess,
) -> None:
    worker.put({"model.py": "units = 8", "data/labels.txt": "a"})
    script = "import os, model; print(model.units, os.environ.get('FAST'))"

    number = worker.order(
        {"model.py": b"units = 16", "train.py": script.encode()}, environment={"FAST": "1"}
    )
    changed = worker.over(number)
    as_it_was = worker.train(script)

    assert changed.printed == "16 1\n"
    assert as_it_was.printed == "8 None\n"
    assert changed.files == {}


def test_files_that_were_made_or_changed_come_out(worker: WorkerProcess) -> None:
    worker.put({"data/labels.txt": "a", "notes.txt": "old"})

    trained = worker.train(
        """
        import os
        os.makedirs("plots/deep")
        open("plots/deep/curve.png", "wb").write(b"png")
        open("notes.txt", "a").write(" and new")
        open("data/labels.txt").read()
        """
    )

    assert trained.files == {
        "files/plots/deep/curve.png": b"png",
        "files/notes.txt": b"old and new",
    }
    assert trained.outcome.refused == []


def test_nothing_of_a_trial_reaches_the_next(worker: WorkerProcess) -> None:
    leave = """
        import os, sys, builtins, tempfile
        builtins.left = sys.left = 1
        os.environ["LEFT"] = "1"
        open("left.txt", "w").write("x")
        open(os.path.expanduser("~/left.txt"), "w").write("x")
        tempfile.NamedTemporaryFile(delete=False)
        os.umask(0o777)
        """
    look = """
        import os, sys, builtins, tempfile
        print(hasattr(builtins, "left"), hasattr(sys, "left"), "LEFT" in os.environ,
              os.listdir("."), os.listdir(os.path.expanduser("~")),
              os.listdir(tempfile.gettempdir()), oct(os.umask(0)))
        """

    worker.train(leave)
    after = worker.train(look)

    names = sorted(path.name for path in (worker.root / "source").iterdir())
    found = after.printed
    assert found.startswith("False False False ")
    assert "left.txt" not in found
    assert all(name in found for name in names)
    assert "[] ['home']" in found
    assert "0o777" not in found


def test_a_name_that_a_framework_has_taken_is_the_neighbours(
    tmp_path: Path, worker: WorkerProcess
) -> None:
    library = tmp_path / "site-packages"
    library.mkdir()
    (library / "utils.py").write_text("whose = 'a library of that name'")
    worker_with_utils = WorkerProcess(
        tmp_path / "other",
        {"train.py": "import utils; print(utils.whose)", "utils.py": "whose = 'the script'"},
        preload=["utils"],
        environment={"PYTHONPATH": str(library)},
    )
    try:
        worker_with_utils.hear()
        assert worker_with_utils.train().printed == "the script\n"
    finally:
        worker_with_utils.close()


def test_seeds_make_it_the_same_each_time(worker: WorkerProcess) -> None:
    script = """
        import random
        from_the_start = random.random()
        import numpy
        print(from_the_start, random.random(), numpy.random.rand(), hash("a"), {"a", "b", "c"})
        """

    first, second, other = (worker.train(script, seed=seed).printed for seed in (5, 5, 6))

    assert first == second
    assert first != other


def test_figures_are_drawn_and_not_shown(worker: WorkerProcess) -> None:
    trained = worker.train(
        """
        import matplotlib
        matplotlib.use("TkAgg")
        import matplotlib.pyplot as plt
        plt.plot([1, 2])
        plt.savefig("curve.png")
        plt.show()
        """
    )

    assert trained.outcome.error is None, trained.printed
    assert trained.files["files/curve.png"].startswith(b"\x89PNG")


def test_what_it_reports_counts(worker: WorkerProcess) -> None:
    trained = worker.train(
        """
        import json, subprocess, sys
        import pushtrain
        pushtrain.report(accuracy=0.9, loss=float("nan"))
        subprocess.run([sys.executable, "-c", "import pushtrain; pushtrain.report(accuracy=0.95)"])
        json.dump({"recall": 0.5, "note": "text", "flag": True}, open("pushtrain.json", "w"))
        """
    )

    reported = [m for m in trained.outcome.measurements if m.role == "reported"]
    assert [(m.metric, m.source) for m in reported] == [
        ("accuracy", "pushtrain.report"),
        ("loss", "pushtrain.report"),
        ("accuracy", "pushtrain.report"),
        ("recall", "pushtrain.json"),
    ]
    assert [m.value for m in reported if m.metric == "accuracy"] == [0.9, 0.95]


def test_a_report_that_was_pushed_is_not_this_trials(worker: WorkerProcess) -> None:
    worker.put({"pushtrain.json": '{"accuracy": 1.0}'})
    try:
        assert worker.train("").outcome.measurements == []
    finally:
        (worker.root / "source/pushtrain.json").unlink()
