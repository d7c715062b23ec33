"""Optuna's part of the search: TPE over a window of observations, and what mattered.

A sampler is made anew for every proposal, with a seed of its own and the observations as they
are: so a proposal depends on what is known and on nothing else, also after a restart. (A seeded
sampler that lives on would draw from its start again when it is rebuilt.)
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator, Sequence

import optuna
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from pushtrain.entities import Direction, KnobValue, KnobValues, Objective
from pushtrain.study.observation import Observation, Outcome
from pushtrain.study.space import Space

_BEST, _LATEST = 24, 56
"""How many observations TPE looks at: its cost grows with each, its use does not."""
_STARTUP = 4
_REDRAWS = 8
_RANDOM_DRAWS = 64
_ENOUGH = 8
"""Good trials before anything is said about what mattered."""


def draws(
    space: Space,
    objective: Objective,
    observations: Sequence[Observation],
    running: Sequence[KnobValues],
    seed: int,
) -> Iterator[dict[str, KnobValue]]:
    """Values to try, the most promising first; the caller takes the first that are new."""
    sampler = TPESampler(
        seed=seed, multivariate=True, constant_liar=True, n_startup_trials=_STARTUP
    )
    study = _study(space, objective, observations, running, sampler)
    for _ in range(_REDRAWS):
        yield space.tidy(study.ask(space.distributions).params)
    generator = random.Random(seed)  # noqa: S311  # a search, not a secret
    for _ in range(_RANDOM_DRAWS):
        study.sampler = RandomSampler(seed=generator.getrandbits(32))
        yield space.tidy(study.ask(space.distributions).params)
    yield from space.all() or ()


def importances(
    space: Space, objective: Objective, observations: Sequence[Observation]
) -> dict[str, float]:
    """How much each knob mattered for reaching the better values (PED-ANOVA, arXiv 2304.10255);
    the shares sum to 1. Empty while fewer than 8 trials gave different values."""
    good = [each for each in observations if each.outcome is Outcome.GOOD]
    if len(good) < _ENOUGH or len({each.value for each in good}) < 2:
        return {}
    study = _study(space, objective, good, (), None)
    evaluator = PedAnovaImportanceEvaluator(target_quantile=0.34)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shares = get_param_importances(study, evaluator=evaluator)
    total = sum(share for share in shares.values() if share > 0)
    if not total > 0:
        return {}
    return {name: max(share, 0.0) / total for name, share in shares.items()}


def _study(
    space: Space,
    objective: Objective,
    observations: Sequence[Observation],
    running: Sequence[KnobValues],
    sampler: BaseSampler | None,
) -> optuna.Study:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study(direction=objective.direction.value, sampler=sampler)
    window = _window(objective, observations)
    worst = _worse_than_all(objective, window)
    for each in window:
        study.add_trial(_finished(space, each, worst))
    for values in running:
        study.add_trial(
            create_trial(
                state=TrialState.RUNNING,
                params=dict(values),
                distributions=space.distributions,
            )
        )
    return study


def _window(objective: Objective, observations: Sequence[Observation]) -> list[Observation]:
    if len(observations) <= _BEST + _LATEST:
        return list(observations)
    sign = 1 if objective.direction is Direction.MINIMIZE else -1
    good = [
        (sign * each.value, place)
        for place, each in enumerate(observations)
        if each.outcome is Outcome.GOOD and each.value is not None
    ]
    best = {place for _, place in sorted(good)[:_BEST]}
    start = len(observations) - _LATEST
    return [each for place, each in enumerate(observations) if place in best or place >= start]


def _worse_than_all(objective: Objective, observations: Sequence[Observation]) -> float:
    """A bad trial must push the search away, so it counts as worse than the worst value."""
    values = [each.value for each in observations if each.value is not None] or [0.0]
    low, high = min(values), max(values)
    margin = (high - low) or 1.0
    return low - margin if objective.direction is Direction.MAXIMIZE else high + margin


def _finished(space: Space, observation: Observation, worst: float) -> FrozenTrial:
    is_pruned = observation.outcome is Outcome.PRUNED and observation.value is not None
    value = worst if observation.value is None else observation.value
    return create_trial(
        state=TrialState.PRUNED if is_pruned else TrialState.COMPLETE,
        value=None if is_pruned else value,
        intermediate_values={observation.epochs: value} if is_pruned else None,
        params=dict(observation.values),
        distributions=space.distributions,
    )
