"""Plays a scenario: a run that goes on while it is struck, and what came of it."""

from __future__ import annotations

import shutil
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

from chaos.checks import problems
from chaos.engines import Engines
from chaos.injuries import struck
from chaos.outcome import Outcome
from chaos.program import Program
from chaos.progress import BEGINS
from chaos.scenario import Blow, Scenario
from chaos.stage import Stage, in_own_processes, on_stage, with_clock

_NOTICED = ("attempt_failed", "driver_lost", "trial_started")
"""Events by which a run shows that it has noticed something."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A blow that struck, in seconds: until it was noticed, and until training went on; None
    where nothing had to be noticed."""

    when: str
    what: str
    noticed: float | None
    going_on: float | None


@dataclass(frozen=True, slots=True)
class Played:
    """A scenario that was played.

    Attributes:
        hits: what struck.
        outcome: how the run ended; None where it did not.
        wrong: what does not hold.
        timeline: what happened when.
    """

    scenario: Scenario
    hits: tuple[Hit, ...]
    outcome: Outcome | None
    wrong: tuple[str, ...]
    timeline: tuple[str, ...]


def undisturbed(program: Program, engines: Engines, folder: Path) -> Outcome:
    """How a program's run ends where nothing strikes it."""
    with on_stage(folder, program, *engines.of(program)) as stage:
        stage.begin()
        stage.settle()
        outcome = Outcome.of(stage)
    shutil.rmtree(folder)
    return outcome


def play(
    scenario: Scenario, engines: Engines, references: Mapping[str, Outcome], folder: Path
) -> Played:
    """Plays a scenario; its folder stays where something does not hold.

    Args:
        scenario: what happens.
        engines: where it happens.
        references: how undisturbed runs end, by the program's name.
        folder: where all of it goes; must not be there.
    """
    random = Random(f"inside {scenario.seed}")
    blows: list[tuple[Blow, float, int, str]] = []
    outcome, wrong = None, ()
    with on_stage(folder, scenario.program, *engines.of(scenario.program)) as stage:
        try:
            stage.begin(_before(scenario))
            for blow in scenario.blows:
                if not _awaited(stage, blow):
                    break
                start = len(stage.progress.seen)
                when = stage.note(f"{blow.moment}: {blow.injury.name}")
                what = struck(blow.injury, stage, random)
                stage.note(what or "too late")
                if what:
                    blows.append((blow, when, start, what))
            stage.settle()
            outcome = Outcome.of(stage)
            reference = references[scenario.program.name]
            costs = scenario.costs_checkpoints
            wrong = problems(outcome, reference, costs_checkpoints=costs)
        except Exception as error:
            wrong = (f"{type(error).__name__}: {error}", *traceback.format_exc().splitlines())
        hits = tuple(_hit(stage, *blow) for blow in blows)
        timeline = tuple(_timeline(stage))
    if not wrong:
        shutil.rmtree(folder)
    return Played(scenario, hits, outcome, wrong, timeline)


def _before(scenario: Scenario) -> tuple[str, ...]:
    apart = in_own_processes() if scenario.is_apart else ()
    return (*apart, *(with_clock(scenario.clock) if scenario.clock else ()))


def _awaited(stage: Stage, blow: Blow) -> bool:
    """Waits for the moment; False where the run ended before."""
    start = len(stage.progress.seen) if stage.diary[1:] else 0
    moment = blow.moment

    def has_come() -> str | None:
        if stage.progress.since(moment.kind, start) >= moment.count:
            return "come"
        return "over" if stage.is_judged and not stage.drivers() else None

    return stage.until(has_come, str(moment)) == "come"


def _hit(stage: Stage, blow: Blow, when: float, start: int, what: str) -> Hit:
    later = stage.progress.seen[start:]
    noticed = next((seen for seen in later if seen.kind in _NOTICED), None)
    going_on = next((s for s in later if s.kind == BEGINS), None) if noticed else None
    return Hit(
        str(blow.moment),
        what,
        noticed.when - when if noticed else None,
        going_on.when - when if going_on else None,
    )


def _timeline(stage: Stage) -> list[str]:
    began = stage.diary[0][0] if stage.diary else 0.0
    lines = [(when, f"*** {what}") for when, what in stage.diary]
    for seen in stage.progress.seen:
        trial = f" of trial {seen.trial}" if seen.trial is not None else ""
        lines.append((seen.when, f"    {seen.kind}{trial}"))
    return [f"{when - began:8.2f} {what}" for when, what in sorted(lines)]
