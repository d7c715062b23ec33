"""`pushtrain notify`: deliver what waits, or try the channels."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import click

from pushtrain.assembly import Assembly
from pushtrain.cli.render import emit, json_option
from pushtrain.errors import PushtrainError, SettingsError
from pushtrain.notify import Receipt, deliver_waiting, notifiers, try_channels
from pushtrain.notify.outbox import may_wait, was_told
from pushtrain.run import Drive
from pushtrain.settings import OperatorSettings
from pushtrain.store import LiveRun, RunFolder

_log = logging.getLogger(__name__)


@click.command()
@click.argument("run", metavar="[RUN]", required=False)
@click.option("--test", "is_test", is_flag=True, help="Send a test message to every channel.")
@json_option
def command(run: str | None, is_test: bool, as_json: bool) -> None:
    """Deliver the messages of RUN (default: of all runs) that still wait in the outbox.

    With --test a test message goes through every configured channel instead.

    Exit code: 0 when everything was delivered, 1 when something was not.
    """
    assembly = Assembly.from_environment()
    receipts = []
    for receipt in _tested(assembly.operator) if is_test else _delivered(assembly, run):
        receipts.append(receipt)
        _show(receipt, as_json=as_json)
    if not receipts and not as_json:
        click.echo("no message waits")
    raise click.exceptions.Exit(0 if all(r.is_delivered for r in receipts) else 1)


def _tested(settings: OperatorSettings) -> Iterator[Receipt]:
    channels = notifiers(settings)
    if not channels:
        raise SettingsError(
            "nobody would be told: no channel is set",
            hint="set host and to under [mail], or apprise_file under [notify], in config.toml",
        )
    yield from try_channels(channels)


def _delivered(assembly: Assembly, run: str | None) -> Iterator[Receipt]:
    store = assembly.store
    for folder in (store.open(run),) if run else store.folders():
        if not was_told(folder):
            _publish(assembly, folder)
        if may_wait(folder):
            yield from _of_run(folder, assembly.operator)


def _publish(assembly: Assembly, folder: RunFolder) -> None:
    """Goes on where a driver died between its verdict and telling people of it."""
    try:
        with folder.driving() as lease:
            live = LiveRun(folder, lease=lease)
            if lease is not None and live.record.verdict is not None:
                Drive(live, assembly, _log.info).to_verdict()
    except PushtrainError as error:
        _log.warning("run %s: %s", folder.id, error)


def _of_run(folder: RunFolder, settings: OperatorSettings) -> tuple[Receipt, ...]:
    try:
        return deliver_waiting(LiveRun(folder), settings)
    except PushtrainError as error:
        return (Receipt(folder.id, "outbox", error.message, error.hint),)


def _show(receipt: Receipt, *, as_json: bool) -> None:
    if as_json:
        emit({"delivered": receipt.is_delivered, "run": receipt.run or None,
              "channel": receipt.channel, "error": receipt.error or None,
              "hint": receipt.hint or None, "permanent": receipt.permanent})  # fmt: skip
        return
    word, colour = ("accepted", "green") if receipt.is_delivered else ("failed", "red")
    run = f"{receipt.run}  " if receipt.run else ""
    click.echo(f"{click.style(word, fg=colour):17} {run}{receipt.channel}")
    if receipt.error:
        click.echo(f"{'':9}{receipt.error}")
        click.echo(f"{'':9}next: {receipt.hint}")
