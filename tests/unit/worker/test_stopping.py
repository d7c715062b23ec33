"""A trial that is asked to stop: at once, or when it has saved."""

from __future__ import annotations

import signal

import pytest

from pushtrain.trial.protocol import Logged
from support.workers import Trained, WorkerProcess

HEEDS = """
    import signal, time
    from pushtrain.worker import stopping
    with stopping.heeded() as outer, stopping.heeded() as stop:
        print("heeds", flush=True)
        while not stop.is_asked:
            time.sleep(0.01)
        print("saved", outer is stop)
        stopping.leave()
    """


def stopped(worker: WorkerProcess, script: str) -> Trained:
    """A trial that is asked to stop when it has printed its first line."""
    trial = worker.begin(script)
    worker.until(Logged)
    worker.process.send_signal(signal.SIGUSR1)
    return worker.over(trial)


def test_whoever_heeds_it_saves_and_leaves(worker: WorkerProcess) -> None:
    trained = stopped(worker, HEEDS)

    assert (trained.outcome.exit.code, trained.outcome.exit.stopped) == (143, True)
    assert trained.printed == "saved True\n"


@pytest.mark.parametrize(
    "script",
    [
        "import time; print('no adapter', flush=True); time.sleep(60)",
        """
        import time
        from pushtrain.worker import stopping
        with stopping.heeded():
            pass
        print("after it", flush=True)
        time.sleep(60)
        """,
        """
        import time
        from pushtrain.worker import stopping
        with stopping.heeded() as stop:
            print("looks too late", flush=True)
            while not stop.is_asked:
                time.sleep(0.01)
        time.sleep(60)
        """,
    ],
)
def test_elsewhere_it_ends_at_once(worker: WorkerProcess, script: str) -> None:
    trained = stopped(worker, script)

    assert trained.outcome.exit.signal == signal.SIGTERM
    assert trained.outcome.seconds["script"] < 30


@pytest.mark.parametrize("where", ["before", "inside"])
def test_a_scripts_own_handler_counts_more(worker: WorkerProcess, where: str) -> None:
    sets = "signal.signal(signal.SIGTERM, lambda *_: exit(5))"
    trained = stopped(
        worker,
        f"""
        import signal, time
        from pushtrain.worker import stopping
        {sets if where == "before" else ""}
        with stopping.heeded() as stop:
            {sets if where == "inside" else ""}
            print("heeds", flush=True)
            while not stop.is_asked:
                time.sleep(0.01)
            stopping.leave()
        """,
    )

    assert trained.outcome.exit.code == 5


def test_what_is_forked_meanwhile_ends_as_it_would_anyway(worker: WorkerProcess) -> None:
    trained = worker.train(
        """
        import os, signal, time
        from pushtrain.worker import stopping
        with stopping.heeded() as stop:
            reads, writes = os.pipe()
            if not (child := os.fork()):
                os.write(writes, b"x")
                while True:
                    time.sleep(60)
            os.read(reads, 1)
            os.kill(child, signal.SIGTERM)
            print(os.waitpid(child, 0)[1] == signal.SIGTERM, stop.is_asked)
        """
    )

    assert trained.printed == "True False\n"


def test_a_thread_asks_in_vain(worker: WorkerProcess) -> None:
    trained = worker.train(
        """
        import signal, threading
        from pushtrain.worker import stopping
        def work():
            with stopping.heeded() as stop:
                print(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL, stop.is_asked)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        """
    )

    assert trained.printed == "True False\n"
