"""A driver that is killed: the monitor gives its run a new one, and nothing is done twice."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.conftest import PUSHTRAIN, ROOT, Cli

pytestmark = [pytest.mark.engine, pytest.mark.e2e, pytest.mark.timeout(900)]


def _until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 400
    while not condition():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.2)


def test_a_killed_driver_is_replaced(cli: Cli, tmp_path: Path) -> None:
    source = tmp_path / "wine"
    shutil.copytree(ROOT / "model/wine-mlp", source)
    wishes = ("--target", "1.0", "--trials", "6")
    driver = subprocess.Popen(
        (PUSHTRAIN, "run", source, *wishes), env=cli.environment, stdout=subprocess.DEVNULL
    )
    _until(lambda: any('"trial_ended"' in j.read_text() for j in cli.home.glob("runs/*/journal")))
    driver.kill()
    driver.wait()
    assert json.loads(cli("runs", "--json"))[0]["state"] == "abandoned"

    _until(lambda: [a for a in cli.lines("monitor", "--once") if a["action"] == "resume"])
    assert cli.lines("monitor", "--once") == []
    verdict = cli.lines("show", "last", "--follow", code=3)[-1]
    assert (verdict["state"], verdict["trials"]) == ("spent", 6)

    (journal,) = cli.home.glob("runs/*/journal")
    events = [
        json.loads(line.partition(" ")[2])["data"] for line in journal.read_text().splitlines()
    ]
    ended = Counter(e["result"]["number"] for e in events if e["event"] == "trial_ended")
    assert ended == dict.fromkeys(range(6), 1)
    assert sum(e["event"] == "driver_lost" for e in events) == 1
