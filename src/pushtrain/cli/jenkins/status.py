"""`pushtrain jenkins status`: all jobs at a glance."""

from __future__ import annotations

import click

from pushtrain.ci.overview import JobOverview, overview
from pushtrain.cli.jenkins.server import open_server
from pushtrain.cli.render import ago, emit, json_option
from pushtrain.cli.tables import table


@click.command()
@json_option
def command(as_json: bool) -> None:
    """Show every repository's job: last verdict, trend, and what runs or waits.

    A mark of the trend: + target met, ~ not met, x failed, o stopped or superseded.
    """
    jobs = overview(open_server())
    if as_json:
        emit(jobs)
        return
    table(("JOB", "LAST", "VERDICT", "TREND", "NOW", "SAYS"), [_row(job) for job in jobs])


def _row(job: JobOverview) -> tuple[str, ...]:
    last = job.last
    now = [f"#{build.number} runs" for build in job.running]
    if job.waiting:
        now.append(f"{job.waiting} waiting")
    return (
        job.job.split("/", 1)[-1],
        f"#{last.number}, {ago(last.started + last.seconds)}" if last else "-",
        last.result.value if last and last.result else "-",
        job.trend or "-",
        ", ".join(now) or "-",
        " ".join(last.description.split()) if last else "",
    )
