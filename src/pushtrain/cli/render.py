"""What all commands share in speaking: JSON, errors, sizes and durations."""

from __future__ import annotations

import json
import logging
import sys
import time
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import click

from pushtrain.entities import Verdict
from pushtrain.errors import PushtrainError
from pushtrain.findings import Finding, Health
from pushtrain.telling.text import duration

_log = logging.getLogger(__name__)

_COLOURS = {Health.OK: "green", Health.WARNING: "yellow", Health.PROBLEM: "red"}

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")


def plain(value: object) -> Any:
    """A JSON-ready copy of records, paths and collections; NaN and infinities become null."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value) if isinstance(value, Path) else value


def emit(value: object) -> None:
    """Prints one JSON document on one line."""
    click.echo(json.dumps(plain(value), ensure_ascii=False))


def fail(error: BaseException, *, as_json: bool) -> int:
    """Prints an error the way its reader wants it; gives the exit code."""
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, click.Abort | KeyboardInterrupt):
        return 130
    if isinstance(error, click.ClickException):
        if as_json:
            kind = "UsageError" if isinstance(error, click.UsageError) else "PushtrainError"
            message = error.format_message()
            emit({"error": kind, "message": message, "hint": "", "exit_code": error.exit_code})
        else:
            error.show()
        return error.exit_code
    if isinstance(error, PushtrainError):
        if as_json:
            emit(error.as_json())
        else:
            click.secho(f"pushtrain: {error.message}", err=True, fg="red")
            if error.hint:
                click.echo(f"  next: {error.hint}", err=True)
        return error.exit_code
    if isinstance(error, BrokenPipeError):
        sys.stderr.close()
        return 1
    _log.error("unexpected error", exc_info=error)
    click.echo(f"pushtrain: unexpected {type(error).__name__}: {error}", err=True)
    click.echo("  next: this is a defect of pushtrain; report it with the lines above", err=True)
    return 1


def show_finding(finding: Finding, width: int) -> None:
    """Prints a finding and its remedy; `width` is the column of the subjects."""
    health = click.style(f"{finding.health:8}", fg=_COLOURS[finding.health])
    click.echo(f"{health} {finding.subject:{width}} {finding.message}")
    if finding.remedy:
        click.echo(f"{'':{width + 9}} next: {finding.remedy}")


def ago(moment: float) -> str:
    """How long ago a Unix time was, for people."""
    return f"{duration(max(time.time() - moment, 0))} ago"


def fixed(value: float) -> str:
    """A metric's value for people: 0.9712, 12.35, 1.2e-05, nan."""
    return f"{value:.4f}" if 0.001 <= abs(value) < 10 or value == 0 else f"{value:.4g}"


def verdict_json(verdict: Verdict, folder: Path) -> dict[str, object]:
    """The verdict as `run --json` and `show --json` end with it."""
    objective = verdict.objective
    return {
        "event": "verdict",
        "run": verdict.run,
        "met": verdict.is_met,
        "state": verdict.state,
        "metric": objective.metric if objective else None,
        "value": verdict.value,
        "source": verdict.source,
        "target": objective.target if objective else None,
        "direction": objective.direction if objective else None,
        "trials": verdict.trials,
        "best": verdict.best,
        "image": verdict.image,
        "seconds": round(verdict.seconds, 3),
        "reason": verdict.reason,
        "exit_code": verdict.exit_code,
        "confirmed": verdict.confirmed,
        "error": verdict.error or None,
        "folder": folder,
    }
