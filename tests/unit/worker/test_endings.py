"""The worker outlives whatever its trials do, and nothing of a trial outlives its end."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pushtrain.trial.protocol import Alive, Logged, TrialBegan
from support.workers import MIB, WorkerProcess

DEFIANT = """
    import signal, time
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    print("defiant", flush=True)
    while True:
        time.sleep(60)
    """


def alive(process: int) -> bool:
    """Whether a process runs (and is no zombie)."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def test_a_time_limit_ends_a_script_that_ignores_signals(worker: WorkerProcess) -> None:
    trained = worker.train(DEFIANT, time_limit=0.3)

    assert trained.outcome.exit.timed_out
    assert trained.outcome.exit.signal == signal.SIGKILL
    assert trained.printed == "defiant\n"
    assert trained.outcome.seconds["script"] >= 0.6


def test_a_script_may_tidy_up_before_its_time_limit_is_enforced(worker: WorkerProcess) -> None:
    trained = worker.train(
        """
        import signal, sys, time
        def tidy(*_):
            open("checkpoint", "w").write("saved")
            sys.exit(7)
        signal.signal(signal.SIGTERM, tidy)
        time.sleep(60)
        """,
        time_limit=0.3,
    )

    assert trained.outcome.exit.timed_out
    assert trained.outcome.exit.code == 7
    assert trained.files == {"files/checkpoint": b"saved"}


def test_a_stop_ends_the_trial_and_not_the_worker(worker: WorkerProcess) -> None:
    trial = worker.begin("import time\nprint('on my way', flush=True)\ntime.sleep(60)\n")
    worker.until(Logged)
    worker.process.send_signal(signal.SIGUSR1)
    stopped = worker.over(trial)

    assert stopped.outcome.exit.stopped
    assert stopped.outcome.exit.signal == signal.SIGTERM
    assert worker.train("print('next')").printed == "next\n"


def test_a_stop_between_trials_does_nothing(worker: WorkerProcess) -> None:
    worker.train("pass")
    worker.process.send_signal(signal.SIGUSR1)

    outcome = worker.train("pass").outcome

    assert outcome.exit.code == 0
    assert not outcome.exit.stopped


@pytest.mark.parametrize("is_training", [True, False])
def test_the_worker_ends_when_asked_to(tmp_path: Path, is_training: bool) -> None:
    worker = WorkerProcess(tmp_path / "own", {})
    try:
        worker.hear()
        if is_training:
            trial = worker.begin(DEFIANT)
            worker.until(Logged)
        worker.process.send_signal(signal.SIGTERM)
        if is_training:
            assert worker.over(trial).outcome.exit.stopped
        assert worker.process.wait(timeout=20) == 0
    finally:
        worker.close()


def test_what_a_script_leaves_running_ends_with_it(worker: WorkerProcess) -> None:
    trained = worker.train(
        """
        import os, subprocess, sys, time
        left = subprocess.Popen(["sleep", "600"], start_new_session=True)
        print(left.pid, flush=True)
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                print(os.getpid(), flush=True)
                while True:
                    time.sleep(60)
            os._exit(0)
        os.wait()
        time.sleep(0.2)
        """
    )

    left = [int(number) for number in trained.printed.split()]
    assert len(left) == 2
    assert not any(alive(process) for process in left)


def test_a_pipe_that_somebody_still_holds_delays_nothing(worker: WorkerProcess) -> None:
    began = time.monotonic()
    worker.train("import subprocess; subprocess.Popen(['sleep', '600'])")
    assert time.monotonic() - began < 10


def test_a_flood_is_cut_and_its_end_is_kept(tmp_path: Path) -> None:
    worker = WorkerProcess(tmp_path / "own", {}, log=MIB)
    try:
        worker.hear()
        trained = worker.train(
            """
            import os
            line = b"x" * 1023 + b"\\n"
            for _ in range(200):
                os.write(1, line * 1024)
            print("the very last line")
            """
        )
    finally:
        worker.close()

    kept = len(trained.printed)
    assert kept <= MIB + 200
    assert trained.printed.endswith("the very last line\n")
    assert trained.outcome.log is not None
    assert trained.outcome.log.dropped > 198 * MIB
    assert "bytes are not kept" in trained.printed


def test_output_without_any_newline_is_cut_as_well(worker: WorkerProcess) -> None:
    trained = worker.train("import os\nfor _ in range(64): os.write(1, b'y' * 1024 * 1024)\n")

    assert trained.outcome.exit.code == 0
    assert len(trained.printed) <= MIB + 200


def test_what_is_not_text_becomes_text(worker: WorkerProcess) -> None:
    trained = worker.train("import os\nos.write(1, bytes(range(256)) * 2000)\n")

    assert trained.outcome.exit.code == 0
    assert all(
        character.isprintable() or character in "\n\t" or ord(character) >= 0x80
        for character in trained.printed
    )


@pytest.mark.parametrize(
    "write",
    [
        "open('big', 'wb').truncate(0); f = open('big', 'wb')\nwhile True: f.write(chunk)",
        "n = 0\nwhile True:\n    n += 1; open(f'{n}', 'wb').write(chunk)",
        "f = open('gone', 'wb'); os.unlink('gone')\nfor _ in range(3): f.write(chunk); f.flush()\n"
        "g = open('gone', 'wb'); os.unlink('gone')\nfor _ in range(3): g.write(chunk); g.flush()\n"
        "time.sleep(60)",
        "n = 0\nwhile True:\n    n += 1; os.mkdir(f'd{n}')",
    ],
    ids=["one file", "many files", "files without a name", "empty directories"],
)
def test_a_disk_limit_is_kept(tmp_path: Path, write: str) -> None:
    worker = WorkerProcess(tmp_path / "own", {}, disk=4 * MIB)
    try:
        worker.hear()
        script = f"import os, time\nchunk = b'x' * 1024 * 1024\n{write}\n"
        trained = worker.train(script, time_limit=30.0)
        after = worker.train("import os; print(os.listdir('.'))")
    finally:
        worker.close()

    facts, error = trained.outcome.exit, trained.outcome.error
    assert facts.disk_exceeded or (error is not None and error.message.startswith("[Errno 27]"))
    assert not facts.timed_out
    assert after.printed == "['train.py']\n"


def test_garbage_on_its_channel_is_no_news(worker: WorkerProcess) -> None:
    trained = worker.train(
        """
        import os, random, socket
        channels = []
        for number in range(3, 256):
            try:
                channels.append(socket.socket(fileno=os.dup(number)))
            except OSError:
                pass
        junk = [b"", b"{", b"null", b"[]", b'{"kind": 1}', b'{"kind": "epoch"}',
                b'{"kind": "epoch", "metrics": 5, "seconds": "x"}', b"\\xff" * 100,
                b'{"kind": "__init__"}', b"[" * 100000, b'{"kind": "note", "text": {}}',
                b'{"kind": "epoch", "metrics": {"": 1}, "seconds": NaN, "epochs": -5}',
                b'{"kind": "measurement", "metric": "", "value": 1, "role": "x", "source": 1}',
                b'{"kind": "measurement", "metric": "a", "value": 1e999, "role": "x", "source": 1}',
                b'{"kind": "confusion", "labels": ["a"], "matrix": [[1, 2]]}',
                b'{"kind": "confusion", "labels": ["a"], "matrix": [[-1]]}',
                b'{"kind": "model", "path": "../../etc/passwd", "format": ""}',
                b'{"kind": "versions", "values": {"": "", "a": ""}}',
                b'{"kind": "error", "type": "", "message": "", "file": "", "traceback": ""}',
                b'{"kind": "network", "host": "", "port": 99999999, "file": 7, "line": "x"}']
        for channel in channels:
            for message in junk * 3:
                try:
                    channel.send(message)
                except OSError:
                    pass
        print(len(channels))
        """
    )

    assert trained.printed == "1\n"
    assert trained.outcome.exit.code == 0
    assert trained.outcome.model is None
    assert trained.outcome.confusion is None


def test_a_flood_of_news_is_bounded(worker: WorkerProcess) -> None:
    trained = worker.train(
        """
        import os, socket
        for number in range(3, 256):
            try:
                channel = socket.socket(fileno=os.dup(number))
                break
            except OSError:
                pass
        name = "m" * 1000
        for number in range(3000):
            metrics = ", ".join(f'"{name}{i}": {i}' for i in range(100))
            channel.send(('{"kind": "epoch", "seconds": 1, "metrics": {%s}}' % metrics).encode())
            channel.send(b'{"kind": "parameters", "values": {"p%d": "%s"}}' % (number, b"v" * 2000))
        """
    )

    assert trained.outcome.exit.code == 0
    assert any("too much" in note for note in trained.outcome.notes)


def test_closing_everything_ends_nothing_but_its_own_words(worker: WorkerProcess) -> None:
    trained = worker.train("import os, time\nos.closerange(0, 4096)\ntime.sleep(0.3)\nprint('x')\n")

    assert trained.printed == ""
    assert trained.outcome.exit.code is not None
    assert worker.train("print('next')").printed == "next\n"


def test_signals_to_the_worker_from_its_child_do_not_end_it(worker: WorkerProcess) -> None:
    trained = worker.train(
        """
        import os, signal
        for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGCHLD, signal.SIGCONT):
            os.kill(os.getppid(), number)
        print("sent")
        """
    )

    assert trained.printed == "sent\n"


@pytest.mark.parametrize(
    "harm",
    [
        "shutil.rmtree(trial)",
        "shutil.rmtree(os.path.join(trial, 'out'))",
        "shutil.rmtree(os.path.join(trial, 'out')); open(os.path.join(trial, 'out'), 'w')",
        "shutil.rmtree(trial); os.symlink('/etc', trial)",
        "shutil.rmtree('../out'); os.symlink('/etc', '../out')",
        "os.rename(trial, trial + '-moved'); open(trial, 'w')",
        "os.chmod(trial, 0)",
        "os.chmod('..', 0o500); os.chmod('.', 0o500)",
        "os.chmod(os.path.dirname(trial), 0)",
        "os.mkfifo('../report.jsonl')",
        "os.symlink('/dev/zero', 'pushtrain.json')",
        "os.mkfifo('pushtrain.json')",
        "open('../report.jsonl', 'w').write('[' * 10**6)",
        "open('../out/result.json', 'w').write('{}'); os.mkdir('../out/files')",
    ],
)
def test_harm_to_its_directories_is_mended(worker: WorkerProcess, harm: str) -> None:
    trained = worker.train(
        f"import os, shutil\ntrial = os.path.dirname(os.getcwd())\n{harm}\nprint('done')\n"
    )

    assert trained.printed == "done\n"
    assert trained.outcome.exit.code == 0
    assert trained.files == {}
    assert worker.train("print('next')").printed == "next\n"


def test_links_devices_and_pipes_are_refused(worker: WorkerProcess) -> None:
    trained = worker.train(
        r"""
        import os, socket
        os.symlink("/etc/passwd", "link")
        os.symlink("/etc", "folder-link")
        os.mkfifo("pipe")
        socket.socket(socket.AF_UNIX).bind("socket")
        open("bad\nname", "w").write("x")
        open(b"bad-\xff-bytes", "w").write("x")
        os.mkdir("fine")
        open("fine/file", "w").write("x")
        os.link("fine/file", "hard")
        os.symlink("/etc/hosts", "../out/model/model.bin")
        """
    )

    assert trained.files == {"files/fine/file": b"x", "files/hard": b"x"}
    assert trained.outcome.exit.code == 0
    refused = "\n".join(trained.outcome.refused)
    for reason in (
        "files/link (symbolic link)",
        "files/folder-link (symbolic link)",
        "files/pipe (pipe)",
        "files/socket (socket)",
        "control characters",
        "model/model.bin (symbolic link)",
    ):
        assert reason in refused


def test_folders_deeper_than_a_path_are_removed(worker: WorkerProcess) -> None:
    trained = worker.train(
        """
        import os
        name = "d" * 200
        for _ in range(100):
            os.mkdir(name)
            os.chdir(name)
        open("file", "w").write("x")
        """
    )

    assert trained.outcome.exit.code is not None or trained.outcome.exit.disk_exceeded
    assert worker.train("import os; print(os.listdir('.'))").printed == "['train.py']\n"


def test_it_says_that_a_trial_is_alive(worker: WorkerProcess) -> None:
    trial = worker.begin("import time; time.sleep(60)")
    assert worker.until(TrialBegan).trial == trial
    first, second = worker.until(Alive), worker.until(Alive)
    worker.process.send_signal(signal.SIGUSR1)
    worker.over(trial)

    assert second.time - first.time < 5
    assert first.memory > 0


def test_its_own_descriptors_stay_its_own(worker: WorkerProcess) -> None:
    trained = worker.train(
        """
        import os
        fds = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
        print(sorted(os.readlink(fd).split(":")[0] for fd in fds if os.path.exists(fd)))
        try:
            os.listdir(f"/proc/{os.getppid()}/fd")
        except PermissionError:
            print("closed")
        """
    )

    kinds, *is_closed = trained.printed.splitlines()
    assert kinds == "['/dev/null', 'pipe', 'pipe', 'socket']"
    assert os.getuid() == 0 or is_closed == ["closed"]


STALL = 3.0


@pytest.mark.parametrize(
    "script",
    [
        "import threading\nthreading.Lock().acquire()\nlock = threading.Lock()\n"
        "lock.acquire()\nprint('waits', flush=True)\nlock.acquire()\n",
        "import os, signal\nprint('stopped', flush=True)\nos.kill(os.getpid(), signal.SIGSTOP)\n",
        "import subprocess\nsubprocess.run(['sleep', '600'])\n",
    ],
    ids=["deadlock", "stopped", "waits for a child"],
)
def test_a_script_that_does_nothing_any_more_is_ended(
    script: str, launch: Callable[..., WorkerProcess]
) -> None:
    worker = launch({}, stall=STALL)
    trained = worker.train(script)
    assert trained.outcome.exit.stalled
    assert not trained.outcome.exit.timed_out
    assert worker.train("print('next')").printed == "next\n"


@pytest.mark.parametrize(
    "script",
    [
        "import time\nend = time.monotonic() + 5\nwhile time.monotonic() < end:\n    pass\n",
        "import time\nfor _ in range(5):\n    print('here', flush=True)\n    time.sleep(1)\n",
    ],
    ids=["computes", "prints"],
)
def test_a_script_that_computes_or_prints_is_left_alone(
    script: str, launch: Callable[..., WorkerProcess]
) -> None:
    trained = launch({}, stall=STALL).train(script)
    assert not trained.outcome.exit.stalled
    assert trained.outcome.exit.code == 0
