"""How a script ends, and what is told of why."""

from __future__ import annotations

import signal

import pytest

from support.workers import WorkerProcess


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("pass", 0),
        ("import sys; sys.exit()", 0),
        ("import sys; sys.exit(0)", 0),
        ("import sys; sys.exit(3)", 3),
        ("import sys; sys.exit(True)", 1),
        ("import sys; sys.exit(-1)", 255),
        ("exit(4)", 4),
        ("import os; os._exit(5)", 5),
        ("raise SystemExit", 0),
    ],
)
def test_an_exit_is_its_code(worker: WorkerProcess, script: str, code: int) -> None:
    outcome = worker.train(script).outcome

    assert outcome.exit.code == code
    assert outcome.exit.signal is None
    assert outcome.error is None


def test_an_exit_with_words_says_them(worker: WorkerProcess) -> None:
    trained = worker.train("import sys\nsys.exit('no data in ./data')\n")

    error = trained.outcome.error
    assert error is not None
    assert trained.printed == "no data in ./data\n"
    assert trained.outcome.exit.code == 1
    assert (error.type, error.message) == ("SystemExit", "no data in ./data")
    assert (error.file, error.line) == ("train.py", 2)


def test_an_exception_names_the_users_innermost_line(worker: WorkerProcess) -> None:
    worker.put({"parts/model.py": "import json\n\n\ndef build():\n    return json.loads('{')\n"})

    trained = worker.train("from parts import model\nmodel.build()\n")

    error = trained.outcome.error
    assert error is not None
    assert trained.outcome.exit.code == 1
    assert (error.type, error.file, error.line) == (
        "json.decoder.JSONDecodeError",
        "parts/model.py",
        5,
    )
    assert error.message.startswith("Expecting property name")
    assert error.traceback == trained.printed
    assert error.traceback.startswith("Traceback (most recent call last):\n  File ")
    assert "model.build()" in error.traceback
    assert "pushtrain/worker" not in error.traceback


@pytest.mark.parametrize(
    ("script", "kind", "line"),
    [
        ("x = 1\nprint 'hello'\n", "SyntaxError", 2),
        ("if True:\n\tx = 1\n        y = 2\n", "TabError", 3),
        ("import nowhere_to_be_found\n", "ModuleNotFoundError", 1),
        ("\n\ninput('epochs? ')\n", "EOFError", 3),
        ("class Odd(Exception):\n    pass\nraise Odd\n", "Odd", 3),
        ("raise KeyboardInterrupt\n", "KeyboardInterrupt", 1),
        ("def f(): f()\nf()\n", "RecursionError", 1),
        ("class Mute(Exception):\n  def __str__(self): 1/0\n\nraise Mute\n", "Mute", 4),
        (
            "try:\n  1/0\nexcept ZeroDivisionError as e:\n  raise ValueError('x') from e\n",
            "ValueError",
            4,
        ),
    ],
)
def test_every_exception_is_told(worker: WorkerProcess, script: str, kind: str, line: int) -> None:
    outcome = worker.train(script).outcome

    assert outcome.error is not None
    assert (outcome.error.type, outcome.error.file, outcome.error.line) == (kind, "train.py", line)
    assert outcome.exit.code == (130 if kind == "KeyboardInterrupt" else 1)


def test_a_script_that_is_not_there_is_an_error(worker: WorkerProcess) -> None:
    outcome = worker.train(entry="gone.py").outcome

    assert outcome.error is not None
    assert outcome.error.type == "FileNotFoundError"
    assert outcome.exit.code == 1


def test_the_scripts_own_hook_shows_the_exception(worker: WorkerProcess) -> None:
    shown = worker.train("import sys\nsys.excepthook = lambda *a: print('mine')\n1/0\n")
    broken = worker.train("import sys\nsys.excepthook = 7\n1/0\n")

    assert shown.printed == "mine\n"
    assert "ZeroDivisionError" in broken.printed
    assert shown.outcome.error
    assert broken.outcome.error


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGKILL", "SIGABRT", "SIGTERM"])
def test_a_crash_is_its_signal(worker: WorkerProcess, name: str) -> None:
    outcome = worker.train(f"import os, signal; os.kill(os.getpid(), signal.{name})").outcome

    assert outcome.exit.signal == getattr(signal, name)
    assert outcome.exit.code is None


def test_what_was_known_before_a_crash_is_kept(worker: WorkerProcess) -> None:
    trained = worker.train(
        """
        import os, pushtrain
        open("before.txt", "w").write("kept")
        pushtrain.report(accuracy=0.5)
        print("about to crash", flush=True)
        os.abort()
        """
    )

    assert trained.printed == "about to crash\n"
    assert trained.files == {"files/before.txt": b"kept"}
    assert [m.value for m in trained.outcome.measurements] == [0.5]


def test_a_process_that_the_script_forked_speaks_for_itself_alone(worker: WorkerProcess) -> None:
    trained = worker.train(
        """
        import os
        process = os.fork()
        if process:
            print("parent", os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
        else:
            raise ValueError("in the child")
        """
    )

    assert "parent 1" in trained.printed
    assert trained.outcome.exit.code == 0
    assert trained.outcome.error is None
