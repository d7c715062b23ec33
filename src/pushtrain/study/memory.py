"""What the runs of a repository learnt: one Optuna study on disk, which every run continues.

The file is an Optuna journal (`optuna-dashboard` opens it): each finished trial of each run, with
the values' meaning for us as its user attribute. It is a memory, not the truth about a run (that
is the run's own journal): when it cannot be read or written, the search starts afresh.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import optuna
from optuna.distributions import BaseDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial
from pydantic import ValidationError

from pushtrain.entities import Knob, Objective
from pushtrain.study.observation import OBSERVATION, Observation, Outcome
from pushtrain.study.space import signature

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

_NAME = "pushtrain"
_ATTRIBUTE = "pushtrain"
_STATES = {
    Outcome.GOOD: TrialState.COMPLETE,
    Outcome.PRUNED: TrialState.PRUNED,
    Outcome.BAD: TrialState.FAIL,
}


def study_path(studies: Path, repository: str, knobs: Sequence[Knob], objective: Objective) -> Path:
    """Where the study of a repository is kept.

    It is the same for every branch and commit as long as the knobs (names, kinds and APIs; not
    their lines, pushed values or ranges) and the metric are the same.

    Args:
        studies: PUSHTRAIN_HOME/studies.
        repository: `source.identity` of the repository.
        knobs: the knobs of the push.
        objective: its metric and direction count, its target does not.
    """
    facts = (repository, signature(knobs), objective.metric, objective.direction.value)
    return studies / hashlib.sha256(repr(facts).encode()).hexdigest()[:16] / "optuna.log"


class Memory:
    """The study of a repository. Safe for several processes; never raises for its file's sake.

    Args:
        path: the file (`study_path`); made when it is missing, set aside when it is damaged.
        objective: its direction.
    """

    def __init__(self, path: Path, objective: Objective) -> None:
        self._path = path
        self._direction = objective.direction
        self._study = self._guarded(self._open) or self._guarded(self._open)

    def observations(self) -> tuple[Observation, ...]:
        """All that is remembered, in the order in which it was noted; what is not valid is
        passed over."""
        trials = self._guarded(lambda: self._study.get_trials(deepcopy=False)) or []  # type: ignore[union-attr]
        return tuple(filter(None, map(_observation, trials)))

    def add(self, observation: Observation, distributions: dict[str, BaseDistribution]) -> None:
        """Notes an observation on disk."""
        study = self._study
        if study is None:
            return
        is_good = observation.outcome is Outcome.GOOD
        trial = create_trial(
            state=_STATES[observation.outcome],
            value=observation.value if is_good else None,
            params=dict(observation.values),
            distributions=distributions,
            user_attrs={_ATTRIBUTE: OBSERVATION.dump_python(observation, mode="json")},
        )
        self._guarded(lambda: study.add_trial(trial))

    def _open(self) -> optuna.Study:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        backend = JournalFileBackend(str(self._path), lock_obj=_FileLock(self._path))
        study = optuna.create_study(
            study_name=_NAME,
            storage=JournalStorage(backend),
            direction=StudyDirection[self._direction.name],
            load_if_exists=True,
        )
        if study.direction.name != self._direction.name:
            raise ValueError(f"it was made to {study.direction.name.lower()}")
        return study

    def _guarded(self, act: Callable[[], _T]) -> _T | None:
        """Runs `act`; what a bad file or disk makes of it is logged, and ends the memory's use."""
        try:
            return act()
        except OSError as error:
            _log.warning("%s: nothing is remembered of this run: %s", self._path, error)
        except Exception as error:  # a damaged file fails anywhere inside Optuna's replay
            aside = self._path.with_name(f"{self._path.name}.damaged")
            _log.warning("%s is damaged (%s); set aside as %s", self._path, error, aside.name)
            try:
                self._path.replace(aside)
            except OSError as trouble:
                _log.warning("%s cannot be set aside: %s", self._path, trouble)
        self._study = None
        return None


class _FileLock(JournalFileOpenLock):
    """A lock that dies with its holder, and mends what a dead writer left.

    Optuna's own locks are files: after a SIGKILL they block everyone for half a minute, and a
    line cut short would spoil the next one.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: Any = None

    def acquire(self) -> bool:
        self._file = self._path.with_suffix(".lock").open("ab")
        fcntl.flock(self._file, fcntl.LOCK_EX)
        _drop_cut_line(self._path)
        return True

    def release(self) -> None:
        self._file.close()


def _drop_cut_line(path: Path) -> None:
    if not path.exists():
        return
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        if size == 0:
            return
        file.seek(size - 1)
        if file.read(1) == b"\n":
            return
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)


def _observation(trial: FrozenTrial) -> Observation | None:
    try:
        return OBSERVATION.validate_python(trial.user_attrs.get(_ATTRIBUTE), strict=False)
    except ValidationError:
        return None
