"""What follows a failed attempt: another one, after which pause, and with which remedy. Pure."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pushtrain.entities import Cause, Failure, Knob, KnobValue, KnobValues
from pushtrain.events import TrialStarted
from pushtrain.interfaces import Limits
from pushtrain.record import MISHAPS, RunRecord
from pushtrain.settings import RelaunchRule, RelaunchSettings
from pushtrain.telling.text import size

_MORE_SHM = 4
_CURED = frozenset({Cause.OUT_OF_MEMORY, Cause.SHARED_MEMORY, Cause.MISSING_MODULE})
"""What comes again unless something is changed, however far an attempt got meanwhile."""


@dataclass(frozen=True, slots=True)
class Relaunch:
    """Another attempt.

    Attributes:
        pause: seconds until then.
        remedy: what is changed for it, for people; empty where nothing is.
        memory, shm: bytes that the run's containers get from now on, where that changes.
        values: the trial's knob values, where they change: it begins again.
        needs_image: the image has to be made again.
        module: what the image lacks.
    """

    pause: float
    remedy: str = ""
    memory: int | None = None
    shm: int | None = None
    values: Mapping[str, KnobValue] | None = None
    needs_image: bool = False
    module: str = ""


class Policy:
    """Decides about failed attempts; the same facts give the same decision.

    Args:
        rules: the operator's.
        limits: what containers get at first.
        most_memory: bytes of memory that they may get.
    """

    def __init__(self, rules: RelaunchSettings, limits: Limits, most_memory: int) -> None:
        self._rules = rules
        self._limits = limits
        self._most_memory = most_memory

    def after(self, record: RunRecord, started: TrialStarted, failure: Failure) -> Relaunch | None:
        """What follows a failed attempt; None when its failure is the trial's.

        Args:
            record: the run, without this failure.
            started: the attempt.
            failure: how it ended.
        """
        forgiven = 0 if failure.cause in _CURED else record.forgiven.get(started.trial, 0)
        before = record.failed_attempts.get(started.trial, ())
        times = 1 + sum(
            one.failure.cause is failure.cause and one.attempt > forgiven for one in before
        )
        rule: RelaunchRule | None = getattr(self._rules, failure.cause.name.lower(), None)
        if rule is None or times >= rule.attempts or self.is_broken(record, failure):
            return None
        pause = self._pause(rule, times, f"{record.id}:{started.trial}:{started.attempt}")
        match failure.cause:
            case Cause.OUT_OF_MEMORY:
                return self._more_memory(record, started.values, pause)
            case Cause.SHARED_MEMORY:
                return self._more_shm(record, pause)
            case Cause.IMAGE_MISSING:
                return Relaunch(pause, "the image is built again", needs_image=True)
            case Cause.MISSING_MODULE:
                what = f"{failure.subject} is added to the image"
                return Relaunch(pause, what, needs_image=True, module=failure.subject)
        return Relaunch(pause)

    def is_broken(self, record: RunRecord, failure: Failure) -> bool:
        """Whether mishaps follow one another so closely that another attempt is of no use.

        Args:
            record: the run, without this failure.
            failure: how the last attempt ended.
        """
        return failure.cause in MISHAPS and record.in_vain + 1 >= self._rules.breaker

    def limits(self, record: RunRecord) -> Limits:
        """What the next container gets."""
        limits = self._limits
        return replace(limits, memory=record.memory or limits.memory, shm=record.shm or limits.shm)

    def _pause(self, rule: RelaunchRule, times: int, seed: str) -> float:
        """Doubles each time, with jitter, so that many runs do not come back all at once."""
        most: float = min(rule.pause * 2 ** min(times - 1, 30), self._rules.longest_pause)
        return most * random.Random(seed).uniform(0.5, 1.0)  # noqa: S311

    def _more_memory(self, record: RunRecord, values: KnobValues, pause: float) -> Relaunch | None:
        memory = record.memory or self._limits.memory
        if memory < self._most_memory:
            more = min(2 * memory, self._most_memory)
            return Relaunch(pause, f"memory {size(memory)} -> {size(more)}", memory=more)
        knob = _batch_size(record.knobs)
        if knob is None:
            return None
        batch = values.get(knob.name, knob.value)
        if not isinstance(batch, int) or batch <= 1:
            return None
        return Relaunch(
            pause,
            f"{knob.name} {batch} -> {batch // 2}, since memory is at its limit ({size(memory)})",
            values={**values, knob.name: batch // 2},
        )

    def _more_shm(self, record: RunRecord, pause: float) -> Relaunch | None:
        """All of it counts as memory, so it cannot be larger than that."""
        shm, most = record.shm or self._limits.shm, record.memory or self._limits.memory
        if shm >= most:
            return None
        more = min(_MORE_SHM * shm, most)
        return Relaunch(pause, f"shared memory {size(shm)} -> {size(more)}", shm=more)


def next_attempt(record: RunRecord, started: TrialStarted) -> TrialStarted:
    """The attempt after `started`, from what the journal says of it.

    It goes on from the checkpoints, unless they may be of other values. An attempt that begins
    again after a change removes those of the values before once its order has arrived, and only
    an epoch tells for certain that it has. A trial's first one finds none.
    """
    failed = record.failed_attempts.get(started.trial, ())
    changed = failed[-1].values if failed and failed[-1].attempt == started.attempt else None
    has_told = bool(record.epochs.get(started.trial))
    return replace(
        started,
        attempt=started.attempt + 1,
        values=started.values if changed is None else changed,
        resumes=changed is None and (started.attempt == 1 or started.resumes or has_told),
    )


def _batch_size(knobs: Sequence[Knob]) -> Knob | None:
    """The batch size that training uses, where it is a knob."""
    return next((knob for knob in knobs if knob.api.endswith(".batch_size")), None)
