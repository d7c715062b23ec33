"""The search: as pushed, what was learnt, the ladder, and then TPE."""

from __future__ import annotations

import hashlib
import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from pushtrain.entities import Knob, KnobValue, KnobValues, Objective, TrialResult
from pushtrain.interfaces import Proposal
from pushtrain.study import sampling
from pushtrain.study.ladder import climb
from pushtrain.study.learnt import worth_repeating
from pushtrain.study.memory import Memory
from pushtrain.study.observation import Observation, Outcome, observe
from pushtrain.study.pruning import Pruning
from pushtrain.study.space import Space, key_of

AS_PUSHED, LEARNT, LADDER, SEARCH = "as pushed", "learnt", "ladder", "search"
_LOOK_BACK = 40
"""How many earlier trials tell whether a move of the ladder has failed before."""
_RUNGS = 10
"""Trial numbers below this may be rungs of the ladder; then the search takes over."""


class OptunaSearcher:
    """Proposes knob values and learns from results (`interfaces.Searcher`).

    Values that met the target in an earlier run come first of all, as trial 1; otherwise trial 0,
    the code as pushed, does. Then come the best values known, the ladder, and the search. No set
    of values is proposed twice; one that an earlier run tried, only when nothing new is left.

    Args:
        knobs: what may be turned.
        objective: the target.
        seed: the run's seed.
        memory: what earlier runs of the repository learnt; None starts from nothing.
        run: this run's id.
        since: Unix time of the run's start: what others learn later does not count, so that a
            run that is taken up again proposes what it would have proposed.
        results: results of this run so far.
        running: values of this run's trials that were started and have no result.
        clock: Unix time, for tests.
    """

    def __init__(
        self,
        knobs: Sequence[Knob],
        objective: Objective,
        seed: int,
        memory: Memory | None = None,
        *,
        run: str = "",
        since: float = math.inf,
        results: Iterable[TrialResult] = (),
        running: Mapping[int, KnobValues] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._space = Space(knobs)
        self._objective = objective
        self._seed = seed
        self._memory = memory
        self._run = run
        self._clock = clock
        self._lock = threading.RLock()
        self._pruning = Pruning(objective)
        remembered = memory.observations() if memory else ()
        self._noted = {each.number for each in remembered if each.run == run}
        earlier = [each for each in remembered if each.run != run and each.time < since]
        self._earlier = tuple(each for each in earlier if self._space.fits(each.values))
        self._learnt = worth_repeating(self._space, objective, earlier)
        self._tried: dict[int, KnobValues] = dict(running or {})
        self._own: dict[int, Observation] = {}
        for result in results:
            self.tell(result)

    def ask(self, refused: Sequence[KnobValues] = ()) -> Proposal | None:
        """The next values to try; None when every combination has been tried.

        A trial that a remedy gave other values ends with those, and no trial stands for its first
        ones any more: `refused` is what keeps them from being proposed anew.
        """
        with self._lock:
            proposal = self._next(refused)
            if proposal is not None:
                self._tried[proposal.number] = proposal.values
            return proposal

    def should_prune(self, number: int, epoch: int, value: float) -> bool:
        """Whether the trial has fallen behind; never for the code as pushed or what was learnt."""
        with self._lock:
            is_behind = self._pruning.is_behind(number, epoch, value)
            return is_behind and not self._is_protected(number)

    def tell(self, result: TrialResult) -> None:
        """Learns from a result, once, and remembers it for the runs to come."""
        with self._lock:
            self._tried[result.number] = dict(result.values) or self._space.pushed
            seen = observe(result, self._objective, run=self._run, time=self._clock())
            self._pruning.forget(result.number)
            if seen is None or result.number in self._own or not self._space.fits(seen.values):
                return
            self._own[seen.number] = seen
            if seen.outcome is Outcome.GOOD and seen.value is not None:
                self._pruning.add(result.epochs, seen.value)
            if self._memory and seen.number not in self._noted:
                self._noted.add(seen.number)
                self._memory.add(seen, self._space.distributions)

    def importances(self) -> Mapping[str, float]:
        """How much each knob mattered (sum 1), empty while too little is known."""
        with self._lock:
            return sampling.importances(self._space, self._objective, self._observations())

    def _next(self, refused: Sequence[KnobValues]) -> Proposal | None:
        met = [each.values for each in self._learnt if each.is_met]
        hopes = [each.values for each in self._learnt if not each.is_met]
        tried = {key_of(values) for values in (*self._tried.values(), *refused)}
        for values in (*met, self._space.pushed, *hopes):
            is_pushed = key_of(values) == key_of(self._space.pushed)
            if key_of(values) in tried or (is_pushed and 0 in self._tried):
                continue
            if is_pushed:
                return Proposal(0, values, AS_PUSHED)
            return Proposal(self._number(), values, LEARNT)
        if not self._space.knobs:
            return None
        if self._number() < _RUNGS and (rung := self._rung(refused)) is not None:
            return Proposal(self._number(), rung, LADDER)
        drawn = self._drawn(tried)
        return None if drawn is None else Proposal(self._number(), drawn, SEARCH)

    def _number(self) -> int:
        return max(self._tried, default=0) + 1

    def _rung(self, refused: Sequence[KnobValues]) -> dict[str, KnobValue] | None:
        earlier = self._earlier[-_LOOK_BACK:]
        tried = [*(each.values for each in earlier), *self._tried.values(), *refused]
        outcomes = {key_of(each.values): each for each in self._observations()}
        hopeless = {key_of(values) for values in refused}

        def has_helped(before: KnobValues, after: KnobValues) -> bool | None:
            if key_of(after) in hopeless:
                return False
            one, other = outcomes.get(key_of(before)), outcomes.get(key_of(after))
            if one is None or other is None:
                return None
            return self._is_better(other, one)

        return climb(self._space, self._base(), tried, has_helped)

    def _base(self) -> KnobValues:
        """The best values of this run; before any, what would be tried first."""
        best: Observation | None = None
        for each in self._own.values():
            if each.outcome is Outcome.GOOD and (best is None or self._is_better(each, best)):
                best = each
        if best is not None:
            return best.values
        return self._learnt[0].values if self._learnt else self._space.pushed

    def _drawn(self, tried: set[tuple[tuple[str, str], ...]]) -> dict[str, KnobValue] | None:
        known = tried | {key_of(each.values) for each in self._earlier}
        running = [self._tried[n] for n in sorted(self._tried) if n not in self._own]
        digest = hashlib.sha256(f"{self._seed}/{self._number()}".encode()).digest()
        repeat: dict[str, KnobValue] | None = None
        for values in sampling.draws(
            self._space,
            self._objective,
            self._observations(),
            running,
            int.from_bytes(digest[:4], "big"),
        ):
            if key_of(values) not in known:
                return values
            if repeat is None and key_of(values) not in tried:
                repeat = values
        return repeat

    def _observations(self) -> list[Observation]:
        """In an order that does not depend on which trial happened to end first."""
        return [*self._earlier, *(self._own[number] for number in sorted(self._own))]

    def _is_better(self, one: Observation, other: Observation) -> bool:
        if one.outcome is not Outcome.GOOD or one.value is None:
            return False
        is_good = other.outcome is Outcome.GOOD
        return self._objective.is_better(one.value, other.value if is_good else None)

    def _is_protected(self, number: int) -> bool:
        key = key_of(self._tried.get(number, {}))
        return number == 0 or any(key == key_of(each.values) for each in self._learnt)
