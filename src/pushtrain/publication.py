"""What a finished run leaves: model, patch, manifest, JUnit, report, and messages to people."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from pushtrain.entities import TrialResult
from pushtrain.errors import LeaseLost, PushtrainError
from pushtrain.events import PatchCommitted, Warned
from pushtrain.knobs import SourceRewriter, patch
from pushtrain.manifest import write_manifest
from pushtrain.notify import tell
from pushtrain.record import RunRecord
from pushtrain.report import write_junit, write_report
from pushtrain.settings import OperatorSettings
from pushtrain.source import commit_patch
from pushtrain.store import LiveRun, RunFolder, Store
from pushtrain.telling.summary import winner
from pushtrain.whole_file import write_whole

_log = logging.getLogger(__name__)


class Publication:
    """Publishes finished runs. Every step can be repeated, and gives the same again.

    Args:
        store: the runs.
        operator: who is told, and how.
        importances: how much each knob of a run mattered.
    """

    def __init__(
        self,
        store: Store,
        operator: OperatorSettings,
        importances: Callable[[RunRecord], Mapping[str, float]],
    ) -> None:
        self._store = store
        self._operator = operator
        self._importances = importances

    def publish(self, live: LiveRun) -> None:
        """Does all steps; one that fails is a warning in the journal, and the others go on.

        Raises:
            LeaseLost: another process drives the run now; nothing more was done.
        """
        for step in (
            self._keep_model,
            self._write_patch,
            self._write_manifest,
            self._commit,
            self._write_junit,
            self._write_report,
            self._tell,
        ):
            try:
                live.refresh()
                step(live)
            except LeaseLost:
                raise
            except Exception as error:
                what = step.__name__.lstrip("_").replace("_", " ")
                if not isinstance(error, PushtrainError | OSError):
                    _log.exception("run %s: %s failed", live.id, what)
                live.append(Warned(f"could not {what}: {error}"))

    def write_report(self, folder: RunFolder, record: RunRecord) -> Path:
        """The report of a run as it stands now, finished or not; gives the page's path."""
        return write_report(
            record,
            folder.path,
            patch=_winning_patch(folder, record),
            importances=self._importances(record),
        )

    def patch(self, folder: RunFolder, record: RunRecord) -> bytes:
        """The change that made the best trial; empty when the code as pushed was best."""
        return _winning_patch(folder, record)

    def commit(self, live: LiveRun) -> str | None:
        """Commits the winning patch to a branch of the repository, once; gives its name.

        Raises:
            SourceError: the repository cannot take it.
        """
        record = live.record
        best = winner(record)
        content = _winning_patch(live.folder, record)
        if record.tuned_branch or not content or best is None:
            return record.tuned_branch
        assert record.push is not None and record.objective is not None
        pushed = {knob.name: knob.value for knob in record.knobs}
        tuned = sorted(name for name, value in best.values.items() if value != pushed.get(name))
        message = (
            f"Tune {', '.join(tuned)} for {record.objective}\n\n"
            f"pushtrain run {record.id}, trial {best.number}: "
            f"{record.objective.metric} {best.value:.6g}\n"
        )
        push, cache = record.push, self._store.home / "repositories"
        branch = commit_patch(push.repository, push.commit, content, message, cache=cache)
        live.append(PatchCommitted(branch))
        return branch

    def _keep_model(self, live: LiveRun) -> None:
        """Puts the best trial's files at model/ and drops what the others left, but their logs."""
        best = winner(live.record)
        kept = live.folder.model
        if best is not None and _model(live.folder, best).is_dir():
            partial = kept.with_name("model.partial")
            shutil.rmtree(partial, ignore_errors=True)
            shutil.copytree(_model(live.folder, best), partial)
            shutil.rmtree(kept, ignore_errors=True)  # of a verdict before this one
            partial.rename(kept)
        for number, result in live.record.trials.items():
            if best is None or number != best.number:
                shutil.rmtree(_model(live.folder, result), ignore_errors=True)
                shutil.rmtree(_out(live.folder, result) / "files", ignore_errors=True)

    def _write_patch(self, live: LiveRun) -> None:
        write_whole(live.folder.patch, _winning_patch(live.folder, live.record))

    def _write_manifest(self, live: LiveRun) -> None:
        best = winner(live.record)
        if best is not None:
            write_manifest(live.record, live.folder.path, _changed(live.folder, live.record, best))

    def _commit(self, live: LiveRun) -> None:
        if live.record.wishes.commit:
            self.commit(live)

    def _write_junit(self, live: LiveRun) -> None:
        write_junit(live.record, live.folder.path)

    def _write_report(self, live: LiveRun) -> None:
        self.write_report(live.folder, live.record)

    def _tell(self, live: LiveRun) -> None:
        tell(live, self._operator)


def _out(folder: RunFolder, result: TrialResult) -> Path:
    return folder.trials / str(result.number) / "out"


def _model(folder: RunFolder, result: TrialResult) -> Path:
    return _out(folder, result) / "model"


def _changed(folder: RunFolder, record: RunRecord, best: TrialResult) -> Mapping[str, bytes]:
    return SourceRewriter(folder.source, record.knobs)(best.values)


def _winning_patch(folder: RunFolder, record: RunRecord) -> bytes:
    best = winner(record)
    return patch(folder.source, _changed(folder, record, best)) if best else b""
