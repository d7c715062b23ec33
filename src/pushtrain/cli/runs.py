"""`pushtrain runs`: the runs on this machine."""

from __future__ import annotations

from pathlib import PurePosixPath

import click

from pushtrain.cli.render import ago, emit, fixed, json_option, verdict_json
from pushtrain.cli.tables import table
from pushtrain.inventory import Inventory, StoredRun
from pushtrain.record import RunRecord
from pushtrain.settings import home
from pushtrain.store import Store


@click.command()
@click.option("-n", "--number", type=click.IntRange(1), default=20, show_default=True)
@json_option
def command(number: int, as_json: bool) -> None:
    """List the newest runs, the newest first.

    A run that says "abandoned" has no verdict and no process that works on it: its machine or
    its driver died. `pushtrain monitor` or `pushtrain resume RUN` goes on with it.
    """
    runs = Inventory(Store(home())).runs(number)
    if as_json:
        emit([_facts(run) for run in runs])
    elif not runs:
        click.echo("no runs yet; `pushtrain run PATH` starts one")
    else:
        table(
            ("RUN", "REPOSITORY", "COMMIT", "BRANCH", "STATE", "VALUE", "TARGET", "TRIALS", "WHEN"),
            [_row(run) for run in runs],
        )


def state(record: RunRecord, *, is_driven: bool) -> str:
    """Where a run stands, as its journal and its lease tell."""
    if record.verdict is None and not is_driven:
        return "abandoned"
    return record.state.value


def _row(run: StoredRun) -> tuple[str, ...]:
    record = run.record
    if record is None:
        return (run.folder.id, "-", "-", "-", f"damaged: {run.problem}", "", "", "", "")
    best, push = record.best, record.push
    return (
        run.folder.id,
        PurePosixPath(push.repository).name if push else "-",
        push.short[:8] if push else "-",
        (push.branch if push else None) or "-",
        state(record, is_driven=run.is_driven),
        fixed(best.value) if best and best.value is not None else "-",
        str(record.objective or "-"),
        str(len(record.origins) - len(record.confirmations)),
        ago(record.started),
    )


def _facts(run: StoredRun) -> dict[str, object]:
    record = run.record
    if record is None:
        return {"run": run.folder.id, "state": "damaged", "error": run.problem}
    best = record.best
    return {
        "run": run.folder.id,
        "state": state(record, is_driven=run.is_driven),
        "repository": record.push.repository if record.push else None,
        "commit": record.push.commit if record.push else None,
        "branch": record.push.branch if record.push else None,
        "metric": record.objective.metric if record.objective else None,
        "target": record.objective.target if record.objective else None,
        "value": best.value if best else None,
        "trials": len(record.origins) - len(record.confirmations),
        "started": record.started,
        "verdict": verdict_json(record.verdict, run.folder.path) if record.verdict else None,
    }
