"""What came of a run, without what may differ from one run to the next: times, ids and attempts."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from chaos.ledger import Ledger
from chaos.stage import Stage
from pushtrain.entities import TrialResult, Verdict
from pushtrain.store import RunFolder

_IDS = re.compile(r"[0-9a-f]{8,}")
_OF_ATTEMPTS = ("seconds", "attempts", "notes")
_OF_RUNS = ("run", "seconds")


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run's end.

    Attributes:
        verdict: the verdict.
        trials: the results by number, with the checksums of all that the trials left.
        published: the checksums of model and patch, by path.
        files: every path below the run's home, ids left out.
        ledgers: what the trials' scripts wrote down.
        mails: the subjects of those that arrived.
        temporary: what is left where temporary files go.
    """

    verdict: Mapping[str, Any]
    trials: Mapping[int, Mapping[str, Any]]
    published: Mapping[str, str]
    files: frozenset[str]
    ledgers: Mapping[int, Ledger | None]
    mails: tuple[str, ...]
    temporary: tuple[str, ...]

    @classmethod
    def of(cls, stage: Stage) -> Outcome:
        """The end of a run that has one."""
        place = stage.progress.folder
        assert place is not None
        folder = RunFolder(place.name, place)
        record = folder.record()
        assert record.verdict is not None
        return cls(
            verdict=_verdict(record.verdict),
            trials={number: _trial(result) for number, result in record.trials.items()},
            published={
                str(path.relative_to(place)): hashlib.sha256(path.read_bytes()).hexdigest()
                for path in (folder.patch, *sorted(folder.model.rglob("*")))
                if path.is_file()
            },
            files=frozenset(
                _IDS.sub("*", str(path.relative_to(stage.home))) for path in _files(stage.home)
            ),
            ledgers={
                number: Ledger.of(folder.trials / str(number) / "log.txt")
                for number in record.trials
            },
            mails=tuple(_IDS.sub("*", str(mail["Subject"])) for mail in stage.inbox.mails()),
            temporary=tuple(str(path.relative_to(stage.tmp)) for path in stage.tmp.rglob("*")),
        )


def _verdict(verdict: Verdict) -> Mapping[str, Any]:
    return {name: value for name, value in asdict(verdict).items() if name not in _OF_RUNS}


def _trial(result: TrialResult) -> Mapping[str, Any]:
    facts = {name: value for name, value in asdict(result).items() if name not in _OF_ATTEMPTS}
    epochs = [{n: v for n, v in epoch.items() if n != "seconds"} for epoch in facts["epochs"]]
    return {**facts, "epochs": epochs}


def _files(home: Path) -> list[Path]:
    return [path for path in home.rglob("*") if path.is_symlink() or not path.is_dir()]
