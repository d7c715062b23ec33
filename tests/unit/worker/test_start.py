"""From its start until it is ready."""

from __future__ import annotations

import ast
import platform
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pushtrain.trial.bundle import worker_files
from pushtrain.trial.protocol import ImportFailed, Ready
from support.workers import WorkerProcess

Start = Callable[..., WorkerProcess]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    made: list[WorkerProcess] = []

    def one(source: dict[str, str], library: dict[str, str], **wishes: Any) -> WorkerProcess:
        site = tmp_path / "site-packages"
        for name, text in library.items():
            (site / name).parent.mkdir(parents=True, exist_ok=True)
            (site / name).write_text(text)
        environment = {"PYTHONPATH": str(site)}
        made.append(WorkerProcess(tmp_path / "own", source, environment=environment, **wishes))
        return made[-1]

    yield one
    for worker in made:
        worker.close()


def test_frameworks_are_imported_once_for_all_trials(start: Start) -> None:
    worker = start({"train.py": ""}, {"framework.py": "print('noise')"}, preload=["framework"])
    ready = worker.hear()
    printed = [worker.train("import framework; print(framework)").printed for _ in range(2)]

    assert isinstance(ready, Ready)
    assert ready.python == platform.python_version()
    assert "pytest" in ready.versions
    assert all("framework.py" in text and "noise" not in text for text in printed)
    assert worker.errors == "noise\n"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("raise ValueError('no such processor')", "ValueError"),
        ("import sys; sys.exit('not here')", "SystemExit"),
        ("import nowhere", "ModuleNotFoundError"),
    ],
)
def test_a_framework_that_cannot_be_imported_ends_the_worker(
    start: Start, text: str, kind: str
) -> None:
    worker = start({"train.py": ""}, {"framework.py": text}, preload=["framework"])

    event = worker.hear()

    assert isinstance(event, ImportFailed)
    assert (event.module, event.type) == ("framework", kind)
    assert "framework.py" in event.traceback
    assert worker.process.wait(timeout=20) == 70


def test_signals_that_a_framework_handles_are_the_workers_again(start: Start) -> None:
    text = "import signal, sys\nsignal.signal(signal.SIGUSR2, lambda *_: sys.exit(9))\n"
    worker = start({"train.py": ""}, {"framework.py": text}, preload=["framework"])
    worker.hear()

    trained = worker.train(
        "import signal; print(signal.getsignal(signal.SIGUSR2) == signal.SIG_DFL)"
    )

    assert trained.printed == "True\n"


def test_well_known_packages_that_the_script_imports_are_warm(start: Start) -> None:
    worker = start(
        {
            "train.py": "import joblib.tools\nimport other\nfrom tqdm import auto\n",
            "old.py": "print 'not Python 3'\nimport sklearn\n",
        },
        {
            "joblib/__init__.py": "",
            "joblib/tools.py": "",
            "tqdm/__init__.py": "raise RuntimeError('broken')",
            "other.py": "",
            "sklearn.py": "",
        },
    )
    worker.hear()

    trained = worker.train(
        """
        import sys
        print([name in sys.modules for name in ("joblib.tools", "other", "tqdm", "sklearn")])
        """
    )

    assert trained.printed == "[True, False, False, False]\n"


def test_a_file_of_the_users_is_no_package(start: Start) -> None:
    worker = start(
        {"train.py": "import joblib; print(joblib.whose)", "joblib.py": "whose = 'mine'"},
        {"joblib.py": "whose = 'theirs'"},
    )
    worker.hear()

    assert worker.train().printed == "mine\n"


def test_all_of_it_is_python_3_9() -> None:
    files = [file for file in worker_files() if file.path.endswith(".py")]

    assert len(files) > 20
    for file in files:
        assert file.content is not None
        ast.parse(file.content, file.path, feature_version=(3, 9))
