"""Adapters follow their frameworks, and nothing that they do wrong fails a script."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import dedent

import pytest

from support.workers import WorkerProcess

FRAMEWORK = "def fit(n):\n    return n\n"

FOLLOWING = """
    import sys
    MODULES = ("framework", "framework_other")
    def prepare():
        print("prepared in process 1", file=sys.stderr)
    def install(session):
        framework = sys.modules["framework"]
        fit = framework.fit
        def fit_and_tell(n):
            for epoch in range(n):
                session.epoch({"loss": 1 / (epoch + 1), "accuracy": float("nan")}, 0.5, n)
            session.measure("accuracy", 0.75, "held-out", f"fit at {session.caller()}")
            session.confusion([0, 1], [[3, 1], [0, 4]])
            session.parameters({"n": n, "odd": object, "deep": {"list": [1, (2, 3)]}})
            session.versions({"framework": "1.2"})
            session.seconds("fit", 2.5)
            session.note("noted")
            session.note("noted")
            (session.out / "model/model.bin").write_bytes(b"weights")
            session.model("model/model.bin", "bin")
            return fit(n)
        framework.fit = fit_and_tell
        session.shared["installed"] = session.shared.get("installed", 0) + 1
    def seed(session, seed):
        import random
        random.seed(0)
        sys.modules["framework"].seeded_with = seed
    def finish(session):
        print("finished, installed", session.shared["installed"])
    """

BROKEN = """
    MODULES = ("framework",)
    def prepare():
        raise RuntimeError("in prepare")
    def install(session):
        raise RuntimeError("in install")
    def finish(session):
        raise RuntimeError("in finish")
    """

LEGACY = """
    import sys, types
    def install():
        sys.modules["framework_old"] = types.ModuleType("framework_old")
    """


@pytest.fixture(params=["imported by the worker", "imported by the script"])
def worker(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WorkerProcess]:
    root = tmp_path_factory.mktemp("worker")
    library = root / "library"
    library.mkdir()
    (library / "framework.py").write_text(FRAMEWORK)
    made = WorkerProcess(
        root / "own",
        {},
        adapters={
            "following": dedent(FOLLOWING),
            "broken": dedent(BROKEN),
            "unreadable": "this is no Python",
            "legacy_framework": dedent(LEGACY),
            "legacy_absent": "def install(): raise RuntimeError('not wanted')",
        },
        preload=["framework"] if request.param == "imported by the worker" else [],
        environment={"PYTHONPATH": str(library)},
    )
    try:
        assert made.hear().event == "ready", made.errors
        yield made
    finally:
        made.close()


def test_what_an_adapter_tells_is_in_the_result(worker: WorkerProcess) -> None:
    trained = worker.train(
        """
        import framework_old
        import framework
        import framework as again
        print(framework.fit(2), framework.seeded_with)
        """,
        seed=77,
    )

    outcome = trained.outcome
    assert trained.printed == "2 77\nfinished, installed 1\n"
    assert [(e.epoch, e.epochs) for e in trained.epochs] == [(1, 2), (2, 2)]
    assert [e.metrics["loss"] for e in outcome.epochs] == [1.0, 0.5]
    assert outcome.epochs[0].metrics["accuracy"] != outcome.epochs[0].metrics["accuracy"]
    measured = outcome.measurements[0]
    assert (measured.metric, measured.value, measured.role) == ("accuracy", 0.75, "held-out")
    assert measured.source == "fit at train.py:5"
    assert outcome.confusion is not None
    assert outcome.confusion.matrix == [[3, 1], [0, 4]]
    assert outcome.confusion.labels == ["0", "1"]
    assert outcome.parameters["n"] == 2
    assert outcome.parameters["deep"] == {"list": [1, [2, 3]]}
    assert outcome.versions == {"framework": "1.2"}
    assert outcome.seconds["fit"] == 2.5
    assert outcome.model is not None
    assert trained.files == {"model/model.bin": b"weights"}


def test_a_broken_adapter_is_a_note(worker: WorkerProcess) -> None:
    outcome = worker.train("import framework\nframework.fit(1)\n").outcome

    assert outcome.exit.code == 0
    assert outcome.error is None
    notes = "\n".join(outcome.notes)
    assert "adapter unreadable: SyntaxError" in notes
    assert "adapter broken: RuntimeError: in install" in notes
    assert "adapter broken: RuntimeError: in finish" in notes
    assert "absent" not in notes
    assert outcome.notes.count("noted") == 1


def test_an_adapter_finishes_however_the_script_ends(worker: WorkerProcess) -> None:
    trained = worker.train("import framework, sys\nframework.fit(1)\nraise ValueError('late')\n")

    assert "finished, installed 1" in trained.printed
    assert trained.outcome.error is not None
    assert trained.outcome.exit.code == 1


def test_seeding_a_framework_leaves_the_scripts_own_seed_alone(worker: WorkerProcess) -> None:
    trained = worker.train(
        """
        import random
        random.seed(4)
        import framework
        print(random.random() == random.Random(4).random())
        """
    )

    assert trained.printed.startswith("True")


def test_a_framework_that_is_never_imported_has_no_adapter(worker: WorkerProcess) -> None:
    trained = worker.train("import sys; print('framework' in sys.modules)")

    expected = {"True\nfinished, installed 1\n", "False\n"}
    assert trained.printed in expected


def test_preparations_are_made_once_in_process_1(worker: WorkerProcess) -> None:
    was_imported = worker.train("import sys; print('framework' in sys.modules)").printed
    worker.train("import framework")

    assert worker.errors.count("prepared in process 1") == was_imported.startswith("True")
