"""From a request for a build to its number, its log, and its result."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from pushtrain.ci.server import (
    Build,
    JenkinsBuilds,
    QueueItem,
    QueueState,
    Result,
    Submission,
)
from pushtrain.errors import JenkinsError, JenkinsNotFound, JenkinsUnreachable

_T = TypeVar("_T")

LOOK = 1.0
"""Seconds between two looks at a request or a log."""
_MOST_AWAY = 600.0
"""Seconds that a server may be away (restarting) while a build is followed."""
_MOST_LOST = 3
"""Looks in a row that do not find a request, before it counts as lost."""
_SAME_SECOND = 1.0

EXIT_CODES = {
    Result.SUCCESS: 0,
    Result.UNSTABLE: 3,
    Result.FAILURE: 1,
    Result.ABORTED: 130,
    Result.NOT_BUILT: 130,
}
"""The exit code of the run behind each result."""


@dataclass(frozen=True, slots=True)
class Started:
    """A request that has become a build; merged if an equal request was there before."""

    build: Build
    is_merged: bool


class Follower:
    """Follows builds of one server; survives its restarts.

    Args:
        server: the server.
        say: told, in a line for people, what is waited for, whenever that changes.
        pause: waits between two looks.
        clock: tells the seconds.
    """

    def __init__(
        self,
        server: JenkinsBuilds,
        say: Callable[[str], None],
        pause: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._server = server
        self._say = say
        self._pause = pause
        self._clock = clock
        self._said = ""

    def to_build(self, job: str, submission: Submission) -> Started:
        """Waits until a request has a build.

        Raises:
            JenkinsError: the request was cancelled, or is lost.
            JenkinsUnreachable: the server stays away.
        """
        lost = 0
        while True:
            item = self._ask(lambda: self._server.queue_item(submission.queue_id))
            if item is None:
                found = self._ask(lambda: self._build_of(job, submission.queue_id))
                if found is not None:
                    return Started(found, submission.is_merged)
                lost += 1
            else:
                lost = 0
                started = self._started(job, submission, item)
                if started is not None:
                    return started
            if lost >= _MOST_LOST:
                raise JenkinsError(
                    f"the request {submission.queue_id} for {job} is lost: Jenkins knows neither "
                    "it nor a build of it",
                    hint="trigger it again",
                    job=job,
                    queue_id=submission.queue_id,
                )
            self._pause(LOOK)

    def _started(self, job: str, submission: Submission, item: QueueItem) -> Started | None:
        if item.state is QueueState.CANCELLED:
            raise JenkinsError(
                f"the request {item.id} for {job} was cancelled in Jenkins' queue",
                hint="trigger it again",
                job=job,
                queue_id=item.id,
            )
        number = item.number
        if number is None:
            if item.why:
                self._tell(f"{item.state}: {item.why}")
            return None
        build = self._ask(lambda: self._server.build(job, number))
        is_older = item.since < submission.time - _SAME_SECOND
        return Started(build, submission.is_merged or is_older)

    def _build_of(self, job: str, queue_id: int) -> Build | None:
        """The build of a request that Jenkins has forgotten, among the newest ones."""
        for past in self._server.builds(job)[:10]:
            build = self._server.build(job, past.number)
            if build.queue_id == queue_id:
                return build
        return None

    def to_end(self, build: Build, write: Callable[[str], None]) -> Build:
        """Writes a build's log as it grows, until the build has its result.

        Raises:
            JenkinsNotFound: the build was removed meanwhile.
            JenkinsUnreachable: the server stays away.
        """
        end = 0
        while True:
            part = self._ask(partial(self._server.log, build.job, build.number, end))
            write(part.text)
            end = part.end
            if not part.has_more:
                now = self._ask(lambda: self._server.build(build.job, build.number))
                if now.is_finished:
                    return now
            self._pause(LOOK)

    def _ask(self, question: Callable[[], _T]) -> _T:
        """Asks, and asks again while the server is away."""
        gone: float | None = None
        while True:
            try:
                return question()
            except JenkinsUnreachable as error:
                gone = gone if gone is not None else self._clock()
                if self._clock() - gone > _MOST_AWAY:
                    raise
                self._tell(f"{error.message}; trying again")
                self._pause(LOOK * 5)

    def _tell(self, text: str) -> None:
        shown = text.split(". Expires in", maxsplit=1)[
            0
        ]  # a quiet period is told once, not every second
        if shown != self._said:
            self._said = shown
            self._say(shown)


def is_known(server: JenkinsBuilds, job: str, parameter: str, value: str) -> bool:
    """Whether a build or a waiting request of a job carries this value already."""
    if any(one.job == job and one.parameters.get(parameter) == value for one in server.queue()):
        return True
    try:
        return any(one.parameters.get(parameter) == value for one in server.builds(job))
    except JenkinsNotFound:
        return False
