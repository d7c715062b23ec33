"""`pushtrain run`: a repository in, a verdict out."""

from __future__ import annotations

import signal
import threading
from importlib import import_module

import click

from pushtrain.assembly import Assembly
from pushtrain.cli.progress import Progress, progress_for, verdict_line
from pushtrain.cli.render import emit, json_option, verdict_json
from pushtrain.cli.watching import watch
from pushtrain.entities import Direction, Verdict, Wishes
from pushtrain.errors import PublicationError
from pushtrain.events import Entry, KnobsFound
from pushtrain.record import RunRecord
from pushtrain.run import Drive, Request, begin, begin_once
from pushtrain.settings import parse_duration
from pushtrain.store import LiveRun, RunFolder


class _Duration(click.ParamType[float]):
    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        seconds = parse_duration(value)
        try:
            number = float(str(seconds))
        except ValueError:
            self.fail(f"{value!r} is no time; write 90s, 10m or 2h", param, ctx)
        if not 0 < number < float("inf"):
            self.fail(f"{value!r} must be more than nothing", param, ctx)
        return number


DURATION = _Duration()


@click.command()
@click.argument("repository", metavar="REPO")
@click.option("--rev", help="Branch, tag or commit  [default: the branch's head]")
@click.option("--branch", help="The pushed branch; a newer push of it supersedes this run.")
@click.option("--metric", help="What the target is stated in  [default: pushtrain.toml]")
@click.option("--target", type=float, help="The value to reach.")
@click.option("--direction", type=click.Choice([d.value for d in Direction]), help="Way to better.")
@click.option("--trials", type=click.IntRange(1), help="Most trials  [default: 20]")
@click.option("--time", "seconds", type=DURATION, help="Most training time  [default: 1h]")
@click.option("--trial-time", type=DURATION, help="Most time for one trial  [default: 30m]")
@click.option("--parallel", type=click.IntRange(1, 64), default=1, show_default=True)
@click.option("--confirm", type=click.IntRange(0, 20), help="Retrain the winner with K seeds.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True)
@click.option("--network", is_flag=True, help="Let this run's containers use the network.")
@click.option("--pushed", is_flag=True, help="REPO is a build server's clone of a push: its HEAD.")
@click.option("--lane", help="Newer runs of a lane supersede older ones  [default: the --branch]")
@click.option("--key", help="Watch the run of this key; it begins where there is none.")
@click.option("--exit-zero", is_flag=True, help="Exit with 0 once there is a verdict, any verdict.")
@click.option("--commit", is_flag=True, help="Commit the winning patch to a branch of REPO.")
@json_option
def command(
    repository: str,
    rev: str | None,
    branch: str | None,
    metric: str | None,
    target: float | None,
    direction: str | None,
    trials: int | None,
    seconds: float | None,
    trial_time: float | None,
    parallel: int,
    confirm: int | None,
    seed: int,
    network: bool,
    pushed: bool,
    lane: str | None,
    key: str | None,
    exit_zero: bool,
    commit: bool,
    as_json: bool,
) -> None:
    """Train REPO until its target is met or its budget is spent.

    REPO is a Git URL or path, or a plain directory. The code itself stays as it is: what is
    tuned is tuned in a copy, and the winning change is given as a patch.

    With --key the run is driven by a process of its own. This command only watches it, and may be
    ended and started again: it goes on with the same run.

    \b
      pushtrain run .
      pushtrain run https://example.org/team/digits.git --rev main --target 0.97
      pushtrain run model/wine-mlp --metric accuracy --target 0.95 --trials 30 --time 10m

    Exit code: 0 met, 1 failed, 2 bad input, 3 budget spent, 4 no Docker, 130 stopped.
    """
    wishes = Wishes(
        metric=metric,
        target=target,
        direction=Direction(direction) if direction else None,
        trials=trials,
        seconds=seconds,
        trial_seconds=trial_time,
        confirm=confirm,
        network=network,
        parallel=parallel,
        seed=seed,
        commit=commit,
        lane=lane,
    )
    assembly = Assembly.from_environment()
    request = Request(repository, rev, branch, pushed, wishes)
    if key is not None:
        folder, verdict = _watched(request, key, assembly, as_json=as_json)
    else:
        with progress_for(as_json=as_json) as progress:
            begun = begin(request, assembly.store, (progress.on_entry,), progress.on_line)
            folder, verdict = begun.folder, _driven(begun.folder, assembly, progress)
    conclude(verdict, folder, as_json=as_json, exit_zero=exit_zero)


def _driven(folder: RunFolder, assembly: Assembly, progress: Progress) -> Verdict:
    """Drives a run in this process; a signal stops it."""
    with folder.driving() as lease:
        if lease is not None:
            live = LiveRun(folder, (progress.on_entry, _import_ahead), lease=lease)
            return driven(live, assembly, progress)
    return watch(folder, assembly, progress)  # a monitor thought that it was abandoned


def driven(live: LiveRun, assembly: Assembly, progress: Progress) -> Verdict:
    """Drives a run to its verdict; whoever waits for that gets it, published or not."""
    try:
        return Drive(live, assembly, progress.on_line).to_verdict()
    except PublicationError as error:
        verdict = live.record.verdict
        assert verdict is not None
        click.echo(f"pushtrain: {error}", err=True)
        return verdict


def _watched(
    request: Request, key: str, assembly: Assembly, *, as_json: bool
) -> tuple[RunFolder, Verdict]:
    """Has a run driven by a process of its own; a signal ends the watching alone."""
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # not under nohup
        signal.signal(signal.SIGHUP, signal.getsignal(signal.SIGTERM))
    with progress_for(as_json=as_json) as progress:
        folder = begin_once(request, key, assembly.store, (), progress.on_line)
    try:
        with progress_for(as_json=as_json) as progress:
            return folder, watch(folder, assembly, progress)
    except KeyboardInterrupt:
        click.echo(
            f"run {folder.id} goes on without this command: `pushtrain show {folder.id} --follow` "
            f"watches it, `pushtrain stop {folder.id}` stops it",
            err=True,
        )
        raise


def _import_ahead(entry: Entry, _: RunRecord) -> None:
    """What publishes takes a second or two to import; the start of the first worker, which is
    under way once the knobs are found, takes longer."""
    if isinstance(entry.event, KnobsFound):
        threading.Thread(target=_import_publication, daemon=True).start()


def _import_publication() -> None:
    for module in ("pushtrain.publication", "pushtrain.report.page"):
        import_module(module)


def conclude(
    verdict: Verdict, folder: RunFolder, *, as_json: bool, exit_zero: bool = False
) -> None:
    """Prints a verdict with the way on, and exits with its code."""
    if as_json:
        emit(verdict_json(verdict, folder.path))
    else:
        colour = "green" if verdict.is_met else "red"
        click.secho(verdict_line(verdict), fg=colour, bold=True)
        if folder.report.exists():
            click.echo(f"report  {folder.report}")
        if folder.patch.exists() and folder.patch.stat().st_size:
            click.echo(f"patch   pushtrain patch {verdict.run} | git apply")
        if folder.model.is_dir():
            click.echo(f"model   {folder.model}")
        if verdict.goes_on:
            click.echo(f"go on   pushtrain resume {verdict.run}")
    raise click.exceptions.Exit(0 if exit_zero else verdict.exit_code)
