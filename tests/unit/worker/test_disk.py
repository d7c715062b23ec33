"""What a trial may have on disk, and what its checkpoints may have besides."""

from __future__ import annotations

from pathlib import Path

import pytest

from pushtrain.worker.checkpoints import Checkpoints
from pushtrain.worker.disk import Disk
from pushtrain.worker.orders import Places

MOST = 1024**2


@pytest.fixture
def places(tmp_path: Path) -> Places:
    made = Places(tmp_path / "pushtrain", tmp_path)
    for directory in (made.trials, made.checkpoint(3)):
        directory.mkdir(parents=True)
    return made


def is_exceeded(disk: Disk) -> bool:
    disk.measure()
    return disk.is_exceeded


def test_whatever_the_store_takes_is_not_too_much(places: Places) -> None:
    disk = Disk(places, MOST)
    store = Checkpoints(places.checkpoint(3), MOST)
    for number, size in enumerate([MOST // 3, *[4000] * 300]):
        try:
            store.save(f"c{number}", {}, {"blob": bytes(size)})
        except OSError:
            break
    else:
        pytest.fail("the store has no end")
    assert not is_exceeded(disk)
    (places.checkpoint(3) / "one more").write_bytes(b"x")
    assert is_exceeded(disk)


def test_its_own_files_count_for_themselves(places: Places) -> None:
    (places.trials / "before").write_bytes(bytes(MOST))
    disk = Disk(places, MOST)
    (places.checkpoint(3) / "c").write_bytes(bytes(MOST - 4096))
    (places.trials / "own").write_bytes(bytes(MOST))
    assert not is_exceeded(disk)
    (places.trials / "more").write_bytes(b"")
    assert is_exceeded(disk)
