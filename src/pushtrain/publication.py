"""What a finished run leaves: model, patch, manifest, JUnit, report, and messages to people."""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from pushtrain.durability import bring_to_disk
from pushtrain.entities import TrialResult
from pushtrain.errors import LeaseLost, PublicationError, PushtrainError
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

_MODEL = "out/model/"
"""Where a trial's artifacts say that its model is."""


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
        """Does all steps; where one fails, the others go on.

        What people can do without is a warning in the journal then. The model has to be there, and
        who is to be told has to be told: nobody is told before it is.

        Raises:
            LeaseLost: another process drives the run now; nothing more was done.
            PublicationError: it is to be called again; what was done is not done twice.
        """
        failed = self._failed(live, self._keep_model)
        for step in (
            self._write_patch,
            self._write_manifest,
            self._commit,
            self._write_junit,
            self._write_report,
        ):
            warning = self._failed(live, step)
            if warning and warning not in live.record.warnings:
                live.append(Warned(warning))
        for step in (self._bring_to_disk, self._tell):
            failed = failed or self._failed(live, step)
        if failed:
            raise PublicationError(
                f"run {live.id} is not published: {failed}",
                hint=f"`pushtrain monitor` or `pushtrain resume {live.id} --finish` does it later",
                run=live.id,
            )

    def _failed(self, live: LiveRun, step: Callable[[LiveRun], None]) -> str:
        """Does a step; what it could not do and why, where it failed."""
        try:
            live.refresh()
            step(live)
        except LeaseLost:
            raise
        except Exception as error:
            what = step.__name__.lstrip("_").replace("_", " ")
            if not isinstance(error, PushtrainError | OSError):
                _log.exception("run %s: %s failed", live.id, what)
            return f"could not {what}: {error}"
        return ""

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
        """Puts the best trial's files at model/ and drops what the others left, but their logs.

        What is not as the trial left it is no model: that is said, and the files stay where they
        are. It would be the same the next time.
        """
        best = winner(live.record)
        for number, result in live.record.trials.items():  # which makes room
            if best is None or number != best.number:
                shutil.rmtree(_model(live.folder, result), ignore_errors=True)
                shutil.rmtree(_out(live.folder, result) / "files", ignore_errors=True)
        if best is None:
            return
        kept = live.folder.model
        partial = kept.with_name("model.partial")
        shutil.rmtree(partial, ignore_errors=True)
        if _model(live.folder, best).is_dir():
            shutil.copytree(_model(live.folder, best), partial)
        damage = _damage(partial, best)
        if damage:
            shutil.rmtree(partial, ignore_errors=True)
        if partial.is_dir() or damage:
            shutil.rmtree(kept, ignore_errors=True)  # of a verdict before this one
        if partial.is_dir():
            partial.rename(kept)
        warning = (
            f"the model of trial {best.number} is not published: {damage}; "
            f"`pushtrain reproduce {live.id}` trains it again"
        )
        if damage and warning not in live.record.warnings:
            live.append(Warned(warning))

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

    def _bring_to_disk(self, live: LiveRun) -> None:
        folder = live.folder
        bring_to_disk(
            folder.model, folder.patch, folder.manifest, folder.junit, folder.report.parent
        )

    def _tell(self, live: LiveRun) -> None:
        tell(live, self._operator)


def _out(folder: RunFolder, result: TrialResult) -> Path:
    return folder.trials / str(result.number) / "out"


def _model(folder: RunFolder, result: TrialResult) -> Path:
    return _out(folder, result) / "model"


def _damage(model: Path, best: TrialResult) -> str:
    """What is wrong with a copy of the model that a trial left; empty where nothing is."""
    for artifact in best.artifacts:
        if not artifact.path.startswith(_MODEL):
            continue
        try:
            with (model / artifact.path.removeprefix(_MODEL)).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            return f"{artifact.path} is missing"
        if artifact.sha256 != f"sha256:{digest}":
            return f"{artifact.path} is damaged (sha256:{digest}, and was {artifact.sha256})"
    return ""


def _changed(folder: RunFolder, record: RunRecord, best: TrialResult) -> Mapping[str, bytes]:
    return SourceRewriter(folder.source, record.knobs)(best.values)


def _winning_patch(folder: RunFolder, record: RunRecord) -> bytes:
    best = winner(record)
    return patch(folder.source, _changed(folder, record, best)) if best else b""
