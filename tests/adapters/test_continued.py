"""Scripts that are killed on their way and continued: they end as if nothing had happened."""

from __future__ import annotations

import functools
import os
import re
import signal
from typing import Any

import pytest

from pushtrain.assembly import Assembly
from pushtrain.detect import detect
from pushtrain.engine.connection import Connection
from pushtrain.settings import ImageSettings
from support import adapted, continued
from support.adapted import ROOT
from support.continued import Case, kills

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("adapters"), pytest.mark.timeout(1200)]

Results = dict[str, dict[str, Any]]

ARRAYS = continued.script("arrays")
DAMAGED = "the training at arrays.py:26 begins again: its checkpoint is damaged"
SAVES = [
    Case("while_it_saves", ARRAYS, kills("fsync 3, fsync 2")),
    Case("when_it_has_saved", ARRAYS, kills("fsync 4")),
    Case("newest_damaged", ARRAYS, kills("batch 25", damage="newest")),
    Case("all_damaged", ARRAYS, kills("batch 25", damage="all"), [DAMAGED]),
    Case("asked_to_stop", ARRAYS, kills("batch 20", signal=signal.SIGTERM)),
]
CASES = [*continued.scripts(), *SAVES]
SKLEARN = [case for case in CASES if "again" in case.script.expected]


@pytest.fixture(scope="session")
def results(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, run_id: str
) -> Results:
    """All cases, each attempt a process of its own."""
    folder = tmp_path_factory.mktemp("continued")
    lay_out = functools.partial(continued.lay_out, of=CASES)
    driver = "continued_driver.py"
    if python := os.environ.get("PUSHTRAIN_TEST_PYTHON"):
        return adapted.run_beside(python, folder, lay_out, driver)
    request.getfixturevalue("engine")  # sees to it that nothing is left
    root = ROOT / "model" / "digits-cnn"
    assembly = Assembly.from_environment()
    plan = assembly.plan_image(detect(root), ImageSettings(), root)
    image = assembly.build_image(plan, print)
    connection: Connection = request.getfixturevalue("connection")
    return adapted.run_in_container(connection, image.id, run_id, folder, lay_out, driver)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_ends_as_if_nothing_had_happened(case: Case, results: Results) -> None:
    killed, other = results[case.name], results[case.undisturbed]
    assert (killed["error"], other["error"]) == (None, None)
    assert killed["ends"] == [*(_end(kill) for kill in case.kills), 0]
    assert len(killed["epochs"]) == len(other["epochs"])
    assert (_what_came_of_it(killed) == _what_came_of_it(other)) != case.is_approximate


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_says_what_is_not_as_if_nothing_had_happened(case: Case, results: Results) -> None:
    notes = results[case.name]["notes"]
    assert len(notes) == len(case.notes)
    assert all(map(str.startswith, notes, case.notes))
    assert results[case.undisturbed]["notes"] == []


@pytest.mark.parametrize("case", SKLEARN, ids=lambda case: case.name)
def test_what_is_computed_again_is_the_same_as_what_is_not(case: Case, results: Results) -> None:
    killed, other = results[case.name], results[case.undisturbed]
    assert killed["output"] == other["output"]
    assert killed["parameters"] == other["parameters"]
    assert killed["confusion"] == other["confusion"]
    assert killed["model"] == other["model"]
    assert killed["again"] == int(case.script.expected["again"])


@pytest.mark.parametrize("case", continued.scripts(), ids=lambda case: case.name)
def test_it_goes_on_where_it_was(case: Case, results: Results) -> None:
    assert results[case.name]["resumed"] == int(case.script.expected["resumed"])
    assert results[case.undisturbed]["resumed"] is None


def test_the_values_of_every_epoch_come_with_their_own_time(results: Results) -> None:
    for case in CASES:
        assert all(one["seconds"] > 0 for one in results[case.name]["epochs"])


def _end(kill: continued.Kill) -> int:
    return 128 + signal.SIGTERM if kill["signal"] == signal.SIGTERM else -signal.SIGKILL


def _what_came_of_it(result: dict[str, Any]) -> dict[str, Any]:
    return {
        "epochs": [(one["number"], one["metrics"]) for one in result["epochs"]],
        "measurements": result["measurements"],
        "confusion": result["confusion"],
        "parameters": result["parameters"],
        "model": result["model"],
        "files": _files(result),
        "lines": _lines(result),
    }


def _files(result: dict[str, Any]) -> dict[str, str]:
    """What lies in the last attempt's folders, but for what it printed and files with a date."""
    return {
        re.sub(r"^attempt-\d+/", "", path): digest
        for path, digest in result["files"].items()
        if not path.endswith(("printed.txt", "best.keras"))
    }


def _lines(result: dict[str, Any]) -> list[str]:
    """The histories that it printed, and its last line."""
    lines = [line for line in result["output"].splitlines() if line.strip()]
    return [*(line for line in lines if line.startswith('{"')), *lines[-1:]]
