"""What needs an engine: warm against cold trials, and pushtrain against a bare `docker run`."""

from __future__ import annotations

import io
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from table import Row

from pushtrain.assembly import Assembly
from pushtrain.detect import detect
from pushtrain.entities import (
    Detection,
    Epoch,
    Image,
    Objective,
    Push,
    TrialSpec,
    TrialState,
    Wishes,
)
from pushtrain.permissions import Grant
from pushtrain.settings import RepositorySettings
from pushtrain.trial import ContainerTrainer, Job
from pushtrain.trial.bundle import worker_files

SAMPLE = Path(__file__).parents[1] / "model" / "digits-cnn"
_TRIALS = 5


class _Quiet:
    """Watches trials and says nothing."""

    def on_epoch(self, trial: int, epoch: Epoch, epochs: int | None) -> bool:
        return False

    def on_log(self, trial: int, text: str) -> None: ...

    def on_resumed(self, trial: int, attempt: int, epochs: int) -> None: ...

    def on_alive(self, trial: int, memory: int) -> None: ...


@dataclass(frozen=True)
class _Bench:
    """An image that exists, and what a trainer of it needs."""

    assembly: Assembly
    detection: Detection
    image: Image
    grant: Grant

    def trainer(self, trials: Path, number: int = 0) -> ContainerTrainer:
        job = Job(
            run=f"bench{os.getpid()}",
            worker=number,
            image=self.image,
            source=SAMPLE,
            entry=self.detection.entry,
            trials=trials,
            limits=self.grant.limits,
            objective=Objective("accuracy", 0.97),
            trial_seconds=600,
        )
        return ContainerTrainer(self.assembly.engine, job)


def _bench() -> _Bench:
    assembly = Assembly.from_environment()
    settings = RepositorySettings()
    detection = detect(SAMPLE)
    plan = assembly.plan_image(detection, settings.image, SAMPLE)
    image = assembly.build_image(plan, lambda line: print(line, file=sys.stderr))
    grant = assembly.permit(Push(str(SAMPLE), "0" * 40, None, True), settings, Wishes())
    return _Bench(assembly, detection, image, grant)


def _train(trainer: ContainerTrainer, number: int) -> None:
    result = trainer.train(TrialSpec(number, {}, seed=0), _Quiet())
    assert result.state is TrialState.COMPLETE, result


def warm() -> list[Row]:
    """The same trial five times: a container each, against one warm worker for all."""
    bench = _bench()
    with tempfile.TemporaryDirectory() as place:
        trials = Path(place)
        started = time.perf_counter()
        for number in range(_TRIALS):
            with closing(bench.trainer(trials)) as trainer:
                trainer.start()
                _train(trainer, number)
        cold = (time.perf_counter() - started) / _TRIALS
        with closing(bench.trainer(trials)) as trainer:
            trainer.start()
            started = time.perf_counter()
            for number in range(_TRIALS):
                _train(trainer, _TRIALS + number)
            warm_seconds = (time.perf_counter() - started) / _TRIALS
    return [
        Row(
            "warm", "a trial in its own container", cold, "in a warm worker", warm_seconds, ">= 2.5"
        )
    ]


def bare() -> list[Row]:
    """One whole training: through pushtrain, and by `docker run` with nothing around it."""
    bench = _bench()
    rows = []
    for epochs in (6, 120):
        with tempfile.TemporaryDirectory() as place:
            source = Path(place) / "source"
            source.mkdir()
            text = (SAMPLE / "train.py").read_text("utf-8")
            (source / "train.py").write_text(text.replace("EPOCHS = 6", f"EPOCHS = {epochs}"))
            pairs = [
                (_by_pushtrain(source, Path(place) / f"home{turn}"), _by_docker(bench, source))
                for turn in range(3)
            ]
        ours, theirs = (min(seconds) for seconds in zip(*pairs, strict=True))
        rows.append(
            Row("bare", f"pushtrain, {epochs} epochs", ours, "docker run", theirs, "<= 1.1")
        )
    return rows


def _by_docker(bench: _Bench, source: Path) -> float:
    """The script goes in over standard input, so that the engine may be anywhere."""
    command = ("docker", "run", "--rm", "--interactive", "--network=none", "--tmpfs=/tmp")
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(source / "train.py", "train.py")
    inside = "mkdir -p /tmp/home && cd /tmp && tar xf - && exec python train.py"
    started = time.perf_counter()
    subprocess.run(
        [*command, bench.image.id, "sh", "-c", inside],
        input=archive.getvalue(),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - started


def _by_pushtrain(source: Path, home: Path) -> float:
    command = [sys.executable, "-m", "pushtrain", "run", str(source), "--trials", "1", "--json"]
    started = time.perf_counter()
    done = subprocess.run(
        command,
        env={**os.environ, "PUSHTRAIN_HOME": str(home)},
        stdout=subprocess.PIPE,
        check=False,
    )
    seconds = time.perf_counter() - started
    verdict = json.loads(done.stdout.splitlines()[-1])
    assert verdict["value"] is not None, verdict
    return seconds


def checkpoint() -> list[Row]:
    """Training with checkpoints and without, in turn, in epochs of about a second."""
    bench = _bench()
    text = (SAMPLE / "train.py").read_text("utf-8")
    text = text.replace("EPOCHS = 6", "EPOCHS = 12").replace("BATCH_SIZE = 64", "BATCH_SIZE = 3")
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(Path(__file__).parent / "checkpoint_inside.py", "checkpoint_inside.py")
        files = {f"library/{file.path}": file.content or b"" for file in worker_files()}
        for name, content in {"train.py": text.encode(), **files}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    # On a disk, as a worker's checkpoints are, and not in memory.
    volume = ("--volume=/bench", "--user=0", "--env=TMPDIR=/bench", "--env=HOME=/bench")
    command = ("docker", "run", "--rm", "--interactive", "--network=none", *volume)
    inside = "cd /bench && tar xf - && exec python checkpoint_inside.py library train.py 4"
    done = subprocess.run(
        [*command, bench.image.id, "sh", "-c", inside],
        input=archive.getvalue(),
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    print(f"checkpoint: {found}", file=sys.stderr)
    rows = []
    for index, what in enumerate(("12 epochs with checkpoints", "their processor time")):
        saved, plain = (
            statistics.median(one[index] for one in found[name]) for name in ("with", "without")
        )
        rows.append(Row("checkpoint", what, saved, "without", plain, "<= 1.05"))
    return rows
