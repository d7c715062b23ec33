"""What breaks: each injury strikes a run as it goes on, and tells what it hit."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from chaos import processes
from chaos.progress import sound_lines
from chaos.stage import Stage, Training
from pushtrain.errors import EngineUnreachable

Strike = Callable[[Stage, Random], str]

_BEATS = 4
"""Heartbeats of a lease through which its time is wrong."""


@dataclass(frozen=True, slots=True)
class Injury:
    """One way to break something.

    Attributes:
        name: of it.
        strike: does it, and says what was hit.
        is_of_engine: whether the engine itself is hit, which must be the tests' own.
        costs_checkpoints: whether what had been saved is destroyed, and may be trained again.
        needs_trial: whether a trial must be under way.
    """

    name: str
    strike: Strike
    is_of_engine: bool = False
    costs_checkpoints: bool = False
    needs_trial: bool = True


class TooLate(Exception):
    """The run has ended before it could be hurt."""


def _training(stage: Stage) -> Training:
    """The next trial that is under way."""

    def found() -> Training | bool:
        return stage.training() or stage.is_judged

    training = stage.until(found, "a trial that is under way")
    if not isinstance(training, Training):
        raise TooLate
    return training


def _driver(stage: Stage) -> int:
    drivers = stage.until(lambda: stage.drivers() or stage.is_judged, "a driver")
    if isinstance(drivers, bool):
        raise TooLate
    return drivers[-1]


# --- processes and containers --------------------------------------------------------------------


def _kill_child(stage: Stage, random: Random) -> str:
    processes.kill(_training(stage).child)
    return "kill -9 of the trial's process"


def _kill_worker(stage: Stage, random: Random) -> str:
    processes.kill(_training(stage).worker)
    return "kill -9 of the worker"


def _kill_container(stage: Stage, random: Random) -> str:
    container = _training(stage).container
    with stage.connection.calling("it cannot be killed") as client:
        client.kill(container)
    return "docker kill"


def _remove_container(stage: Stage, random: Random) -> str:
    container = _training(stage).container
    with stage.connection.calling("it cannot be removed") as client:
        client.remove_container(container, force=True)
    return "docker rm -f"


def _kill_driver(stage: Stage, random: Random) -> str:
    processes.kill(_driver(stage))
    return "kill -9 of the driver"


def _kill_monitor(stage: Stage, random: Random) -> str:
    processes.kill(stage.monitor)
    return "kill -9 of the monitor"


def _kill_all(stage: Stage, random: Random) -> str:
    training, driver = _training(stage), _driver(stage)
    for process in (stage.monitor, driver, training.worker):
        processes.kill(process)
    return "kill -9 of monitor, driver and worker"


def _kill_engine(stage: Stage, random: Random) -> str:
    assert stage.daemon is not None
    stage.daemon.kill()
    stage.daemon.start()
    return "kill -9 of dockerd, which is started again"


# --- files ---------------------------------------------------------------------------------------


def _fill_quota(stage: Stage, random: Random) -> str:
    """Fills what the trial may save, but for one block; ordinary work goes on, and dies later."""
    place = _checkpoints(stage)
    room = stage.disk - sum(path.stat().st_blocks * 512 for path in place.rglob("*"))
    filler = place / "filler"
    filler.write_bytes(bytes(max(room - 8192, 0)))
    os.chown(filler, 1000, 1000)
    return f"{filler.stat().st_size} bytes beside the checkpoints: no room for another"


def _damage_newest(stage: Stage, random: Random) -> str:
    return _damage(stage, random, 1)


def _damage_both(stage: Stage, random: Random) -> str:
    return _damage(stage, random, 2)


def _damage(stage: Stage, random: Random, generations: int) -> str:
    """While the trial is stopped, so that nothing newer comes in between; then it is killed."""
    training = _training(stage)
    processes.kill(training.child, signal.SIGSTOP)
    place = _checkpoints(stage)
    how = random.choice((_truncation, _bit_flip, _loss))
    names = []
    for path in sorted(place.glob("*.[01]")):
        both = place.glob(f"{path.stem}.[01]")
        if path in sorted(both, key=lambda one: one.stat().st_mtime_ns)[-generations:]:
            how(path, random)
            names.append(path.name)
    processes.kill(training.child)
    told = ", ".join(sorted(names)) or "nothing, since none is there yet"
    return f"{how.__name__[1:]} of checkpoints ({told}); then kill -9 of the trial's process"


def _checkpoints(stage: Stage) -> Path:
    place = stage.until(lambda: stage.checkpoints() or stage.is_judged, "checkpoints")
    if isinstance(place, bool):
        raise TooLate
    return place


def _truncation(path: Path, random: Random) -> None:
    os.truncate(path, random.randrange(max(path.stat().st_size, 1)))


def _bit_flip(path: Path, random: Random) -> None:
    content = bytearray(path.read_bytes()) or bytearray(1)  # it may have been lost before
    content[random.randrange(len(content))] ^= 1 << random.randrange(8)
    path.write_bytes(content)


def _loss(path: Path, random: Random) -> None:
    os.truncate(path, 0)


def _tear_journal(stage: Stage, random: Random) -> str:
    """As a crash or power failure in the middle of a write leaves a line that nobody acted upon:
    in part, or with all its length and its newline while the pages before hold something else."""
    processes.kill(stage.monitor, signal.SIGSTOP)  # or it would write meanwhile
    processes.kill(_driver(stage))
    folder = stage.progress.folder
    assert folder is not None
    journal = folder / "journal"
    lines = sound_lines(journal.read_bytes())
    whole = lines[-1]
    if b'"event":"epoch_ended"' in whole:  # the one kind that nobody waits for
        lines = lines[:-1]
    kept = whole[: random.randrange(1, len(whole) - 1)]
    lost = len(whole) - 1 - len(kept)
    torn = kept + random.choice((b"", bytes(lost) + b"\n", b"\xff" * lost + b"\n"))
    journal.write_bytes(b"".join(lines) + torn)
    processes.kill(stage.monitor, signal.SIGCONT)
    how = f"{len(kept)} bytes of a line and {len(torn) - len(kept)} that are none"
    return f"kill -9 of the driver, which leaves in the journal {how}"


# --- time ----------------------------------------------------------------------------------------


def _pause_driver(stage: Stage, random: Random) -> str:
    driver = _driver(stage)
    processes.kill(driver, signal.SIGSTOP)
    start = len(stage.progress.seen)
    stage.until(lambda: stage.progress.since("driver_lost", start), "the monitor's taking over")
    processes.kill(driver, signal.SIGCONT)
    return "the driver is paused until another one has taken over, and wakes up"


def _move_clock(stage: Stage, random: Random) -> str:
    """Through some heartbeats the lease's time is set again after each of them."""
    by = random.choice((-86400, -60, 60, 86400))
    folder = stage.progress.folder
    assert folder is not None
    beats = 0
    last = b""
    while beats < _BEATS and not stage.is_judged:
        lease = max(folder.glob("lease/*"), key=lambda path: int(path.name))
        said = lease.read_bytes()
        if said != last:
            beats, last = beats + 1, said
            os.utime(lease, (time.time() + by,) * 2)
        stage.progress.look()
        time.sleep(0.01)
    return f"the lease's clock is wrong by {by} s for {beats} heartbeats"


INJURIES = (
    Injury("child", _kill_child),
    Injury("worker", _kill_worker),
    Injury("kill", _kill_container),
    Injury("rm", _remove_container),
    Injury("driver", _kill_driver, needs_trial=False),
    Injury("monitor", _kill_monitor, needs_trial=False),
    Injury("all", _kill_all),
    Injury("engine", _kill_engine, is_of_engine=True),
    Injury("quota", _fill_quota, costs_checkpoints=False),
    Injury("newest", _damage_newest, costs_checkpoints=True),
    Injury("both", _damage_both, costs_checkpoints=True),
    Injury("journal", _tear_journal, needs_trial=False),
    Injury("pause", _pause_driver, needs_trial=False),
    Injury("clock", _move_clock, needs_trial=False),
)


def struck(injury: Injury, stage: Stage, random: Random) -> str | None:
    """Strikes; what was hit, or None where the run had ended before."""
    while not stage.is_judged or not injury.needs_trial:
        try:
            return injury.strike(stage, random)
        except TooLate:
            return None
        except (EngineUnreachable, FileNotFoundError):
            stage.progress.look()  # what was to be hit has gone in this moment: the next one
    return None
