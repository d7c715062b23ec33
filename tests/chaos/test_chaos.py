"""Runs that are killed and hurt in many ways end as if nothing had happened.

`scripts/chaos` plays other seeds, and prints what was struck when.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from chaos.engines import Engines, engines
from chaos.outcome import Outcome
from chaos.play import play, undisturbed
from chaos.program import PROGRAMS
from chaos.scenario import EVERY_DAY, draw

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("chaos"), pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    with engines(tmp_path_factory.mktemp("chaos") / "engines") as both:
        yield both


@pytest.fixture(scope="module")
def references(both: Engines, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Outcome]:
    """How undisturbed runs end, by the program's name."""
    folder = tmp_path_factory.mktemp("undisturbed")
    return {program.name: undisturbed(program, both, folder / program.name) for program in PROGRAMS}


@pytest.mark.parametrize("seed", EVERY_DAY)
def test_nothing_is_lost(
    seed: int, both: Engines, references: Mapping[str, Outcome], tmp_path: Path
) -> None:
    played = play(draw(seed), both, references, tmp_path / "run")
    assert played.hits, "\n".join(("nothing was struck", *played.timeline))
    assert not played.wrong, "\n".join((*played.wrong, *played.timeline))
