"""`pushtrain runs`: the runs on this machine."""

from __future__ import annotations

from pathlib import PurePosixPath

import click

from pushtrain.cli.render import ago, emit, fixed, json_option, verdict_json
from pushtrain.cli.tables import table
from pushtrain.errors import JournalError
from pushtrain.record import RunRecord
from pushtrain.settings import home
from pushtrain.store import RunFolder, Store


@click.command()
@click.option("-n", "--number", type=click.IntRange(1), default=20, show_default=True)
@json_option
def command(number: int, as_json: bool) -> None:
    """List the newest runs, the newest first.

    A run that says "abandoned" has no verdict and no process that works on it: its machine or
    its driver died. `pushtrain resume RUN` goes on with it.
    """
    folders = Store(home()).folders()[:number]
    if as_json:
        emit([_facts(folder) for folder in folders])
    elif not folders:
        click.echo("no runs yet; `pushtrain run PATH` starts one")
    else:
        table(
            ("RUN", "REPOSITORY", "COMMIT", "BRANCH", "STATE", "VALUE", "TARGET", "TRIALS", "WHEN"),
            [_row(folder) for folder in folders],
        )


def state(folder: RunFolder, record: RunRecord) -> str:
    """Where a run stands, as its journal and its lock tell."""
    if record.verdict is None and not folder.is_driven:
        return "abandoned"
    return record.state.value


def _row(folder: RunFolder) -> tuple[str, ...]:
    try:
        record = folder.record()
    except JournalError as error:
        return (folder.id, "-", "-", "-", f"damaged: {error.message}", "", "", "", "")
    best, push = record.best, record.push
    return (
        folder.id,
        PurePosixPath(push.repository).name if push else "-",
        push.short[:8] if push else "-",
        (push.branch if push else None) or "-",
        state(folder, record),
        fixed(best.value) if best and best.value is not None else "-",
        str(record.objective or "-"),
        str(len(record.origins) - len(record.confirmations)),
        ago(record.started),
    )


def _facts(folder: RunFolder) -> dict[str, object]:
    try:
        record = folder.record()
    except JournalError as error:
        return {"run": folder.id, "state": "damaged", "error": error.message}
    best = record.best
    return {
        "run": folder.id,
        "state": state(folder, record),
        "repository": record.push.repository if record.push else None,
        "commit": record.push.commit if record.push else None,
        "branch": record.push.branch if record.push else None,
        "metric": record.objective.metric if record.objective else None,
        "target": record.objective.target if record.objective else None,
        "value": best.value if best else None,
        "trials": len(record.origins) - len(record.confirmations),
        "started": record.started,
        "verdict": verdict_json(record.verdict, folder.path) if record.verdict else None,
    }
