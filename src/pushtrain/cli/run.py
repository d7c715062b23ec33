"""`pushtrain run`: a repository in, a verdict out."""

from __future__ import annotations

import threading
from importlib import import_module

import click

from pushtrain.assembly import Assembly
from pushtrain.cli.following import follow
from pushtrain.cli.progress import Progress, progress_for, verdict_line
from pushtrain.cli.render import emit, json_option, verdict_json
from pushtrain.entities import Direction, Verdict, Wishes
from pushtrain.events import Entry, KnobsFound
from pushtrain.record import RunRecord
from pushtrain.run import Drive, Request, begin, begin_once
from pushtrain.settings import parse_duration
from pushtrain.store import LiveRun, RunFolder, Store


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
@click.option("--key", help="Go on with the run of this key, where there is one.")
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
    key: str | None,
    exit_zero: bool,
    commit: bool,
    as_json: bool,
) -> None:
    """Train REPO until its target is met or its budget is spent.

    REPO is a Git URL or path, or a plain directory. The code itself stays as it is: what is
    tuned is tuned in a copy, and the winning change is given as a patch.

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
    )
    assembly = Assembly.from_environment()
    request = Request(repository, rev, branch, pushed, wishes)
    with progress_for(as_json=as_json) as progress:
        folder = _begun(request, key, assembly.store, progress)
        verdict = drive(folder, assembly, progress)
    conclude(verdict, folder, as_json=as_json, exit_zero=exit_zero)


def _begun(request: Request, key: str | None, store: Store, progress: Progress) -> RunFolder:
    if key is None:
        return begin(request, store, (progress.on_entry,), progress.on_line).folder
    return begin_once(request, key, store, (progress.on_entry,), progress.on_line)


def drive(folder: RunFolder, assembly: Assembly, progress: Progress) -> Verdict:
    """Drives a run to its verdict; while another process does, it is followed."""
    while True:
        with folder.driving() as lease:
            if lease is not None:
                live = LiveRun(folder, (progress.on_entry, _import_ahead), lease=lease)
                return Drive(live, assembly, progress.on_line).to_verdict()
        verdict = follow(folder, progress)
        if verdict is not None:
            return verdict


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
