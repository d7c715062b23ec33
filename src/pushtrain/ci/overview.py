"""All jobs of pushtrain on a server at a glance."""

from __future__ import annotations

from dataclasses import dataclass

from pushtrain.ci.definitions import FOLDER, MONITOR
from pushtrain.ci.server import Build, JenkinsServer, PastBuild, Result
from pushtrain.errors import JenkinsNotFound

_TREND = 8
_MARKS = {
    Result.SUCCESS: "+",
    Result.UNSTABLE: "~",
    Result.FAILURE: "x",
    Result.ABORTED: "o",
    Result.NOT_BUILT: "o",
}


@dataclass(frozen=True, slots=True)
class JobOverview:
    """One job.

    Attributes:
        job: full name.
        last: the newest finished build; None if there is none.
        running: the builds under way, newest first.
        trend: a mark per finished build, oldest first: + met, ~ not met, x failed, o stopped.
        waiting: how many requests for it wait.
    """

    job: str
    last: Build | None
    running: tuple[Build, ...]
    trend: str
    waiting: int


def overview(server: JenkinsServer) -> tuple[JobOverview, ...]:
    """Every repository's job by name, and the monitor last.

    Raises:
        JenkinsNotFound: nothing of ours is on the server.
    """
    waiting = [item.job for item in server.queue()]
    try:
        jobs = server.jobs(FOLDER)
    except JenkinsNotFound as error:
        raise JenkinsNotFound(
            error.message, hint="`pushtrain jenkins apply --repo URL` makes it"
        ) from None
    return tuple(
        _job(server, job, waiting.count(job))
        for job in sorted(jobs, key=lambda name: (name == MONITOR, name))
    )


def _job(server: JenkinsServer, job: str, waiting: int) -> JobOverview:
    past = server.builds(job)
    finished = [one for one in past if one.result is not None]
    return JobOverview(
        job=job,
        last=server.build(job, finished[0].number) if finished else None,
        running=tuple(server.build(job, one.number) for one in past if one.result is None),
        trend="".join(_mark(one) for one in reversed(finished[:_TREND])),
        waiting=waiting,
    )


def _mark(build: PastBuild) -> str:
    return _MARKS[build.result] if build.result else ""
