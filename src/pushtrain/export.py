"""A run's results for a build server: one directory to archive."""

from __future__ import annotations

import shutil
from pathlib import Path

from pushtrain.errors import UsageError
from pushtrain.report import write_junit
from pushtrain.store import RunFolder
from pushtrain.telling.summary import summarise


def export(folder: RunFolder, target: Path) -> Path:
    """Copies what a run leaves, and names it for the build; gives the path of the page.

    report/ and logs/ are made anew; junit.xml, manifest.json and winner.patch stand beside them,
    title.txt and summary.txt hold the build's name and description.

    Raises:
        UsageError: the directory cannot be written.
    """
    record = folder.record()
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name in ("report", "logs"):
            shutil.rmtree(target / name, ignore_errors=True)
        shutil.copytree(folder.report.parent, target / "report")
        (target / "logs").mkdir()
        for log in sorted(folder.trials.glob("*/log.txt")):
            shutil.copyfile(log, target / "logs" / f"trial-{log.parent.name}.txt")
        write_junit(record, target)
        for file in (folder.manifest, folder.patch):
            (target / file.name).unlink(missing_ok=True)  # of an earlier run
            if file.exists():
                shutil.copyfile(file, target / file.name)
        said = summarise(record)
        value = f"{said.metric} {said.value or '-'} ({said.target})" if said.metric else said.reason
        trials = len(record.origins) - len(record.confirmations)
        (target / "title.txt").write_text(
            f"{said.project}@{said.commit}: {said.outcome}\n", "utf-8"
        )
        (target / "summary.txt").write_text(
            f"{value}, {trials} trial{'' if trials == 1 else 's'}\n", "utf-8"
        )
    except OSError as error:
        raise UsageError(
            f"{target} cannot be written: {error}", hint="give a directory of your own"
        ) from error
    return target / "report" / "index.html"
