"""A seed's scenario: what is trained, and what strikes it when. Pure: a seed always means the same.

Moments are counted in what the run shows of itself, never in seconds, so that a seed means the
same on a slow machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from chaos.injuries import INJURIES, Injury
from chaos.program import CALLS, KERAS, LOOP, Program
from chaos.progress import TRAINED

_EVENTS = (("trial_started", 1), ("trial_started", 2), ("trial_ended", 1), ("state_changed", 2))
"""What may be waited for besides epochs: an event, and which of them."""
_LATE = (("judged", 1), ("message_queued", 1))
"""Moments after all training."""
_NOTHING_ALONE = {"quota": "child", "monitor": "driver"}
"""Injuries that show only by what strikes next."""
_PERIOD = len(INJURIES)
_CLOCKS = (-7200.0, 7200.0)


EVERY_DAY = range(20)
"""The seeds that every test run plays; `scripts/chaos` plays others."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When something strikes: at the so-manieth thing of a kind since the blow before."""

    kind: str
    count: int

    def __str__(self) -> str:
        if self.kind == TRAINED:
            return f"after {self.count} epochs"
        return f"at {self.kind.replace('_', ' ')} {self.count}"


@dataclass(frozen=True, slots=True)
class Blow:
    """An injury and its moment."""

    injury: Injury
    moment: Moment


@dataclass(frozen=True, slots=True)
class Scenario:
    """What happens to one run.

    Attributes:
        seed: where it comes from; also of what is random inside the injuries.
        program: what is trained.
        blows: what strikes it, one after another.
        is_apart: whether its driver runs among processes of its own, so that nobody else can
            tell whether it lives, nor kill it.
        clock: seconds by which the driver's wall clock is wrong.
    """

    seed: int
    program: Program
    blows: tuple[Blow, ...]
    is_apart: bool = False
    clock: float = 0.0

    @property
    def costs_checkpoints(self) -> bool:
        """Whether what had been saved is destroyed on the way."""
        return any(blow.injury.costs_checkpoints for blow in self.blows)


def draw(seed: int) -> Scenario:
    """The scenario of a seed: each kind of injury leads once in so many seeds as there are."""
    random = Random(f"chaos {seed}")
    first = INJURIES[seed % _PERIOD]
    program = KERAS if seed % 7 == 3 else random.choice((LOOP, LOOP, CALLS))
    choices = [injury for injury in INJURIES if program.is_light or not injury.is_of_engine]
    if first not in choices:
        first = random.choice(choices)
    injuries = [first, *random.choices(choices, k=random.choice((0, 0, 1, 1, 2)))]
    needed = _NOTHING_ALONE.get(injuries[-1].name)
    injuries += [injury for injury in choices if injury.name == needed]
    left = program.epochs - 2
    blows = []
    for number, injury in enumerate(injuries):
        moment = _moment(random, injury, left, is_first=number == 0)
        left -= moment.count if moment.kind == TRAINED else 0
        blows.append(Blow(injury, moment))
    return Scenario(
        seed,
        program,
        tuple(blows),
        is_apart=first.name == "pause" and seed // _PERIOD % 2 == 0,
        clock=random.choice(_CLOCKS) if first.name == "clock" else 0.0,
    )


def _moment(random: Random, injury: Injury, left: int, *, is_first: bool) -> Moment:
    if not injury.needs_trial and is_first and random.random() < 0.3:
        return Moment(*random.choice((*_EVENTS, *_LATE)))
    if is_first and random.random() < 0.2:
        return Moment(*random.choice(_EVENTS))
    most = max(left if is_first else left // 3, 1)
    return Moment(TRAINED, random.randint(1, most))
