"""Jobs, taken from a server with the runs that their builds are about."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from pushtrain.ci.definitions import FOLDER, MONITOR
from pushtrain.ci.server import JenkinsServer
from pushtrain.errors import JenkinsError, JenkinsNotFound, UsageError

_LOOK = 1.0
_MOST = 180.0
"""Seconds that a build may take to its end: its run saves a checkpoint and is reported."""


class Removal:
    """Removes jobs of ours.

    Builds that run are stopped first, and have their time: Jenkins interrupts every step of a job
    that it deletes, also the one that would stop the run, which would train on for nobody.

    Args:
        server: the server.
        say: told, in a line for people, which build is waited for.
        pause: waits between two looks.
        clock: tells the seconds.
    """

    def __init__(
        self,
        server: JenkinsServer,
        say: Callable[[str], None],
        pause: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._server = server
        self._say = say
        self._pause = pause
        self._clock = clock

    def remove(self, name: str) -> tuple[str, ...]:
        """Removes a repository's job, and with the last one all that the jobs shared.

        Args:
            name: the job's name, in the folder or in full.

        Raises:
            UsageError: it is no job of ours.
            JenkinsError: a build does not end; nothing is removed.
        """
        full = name if name.startswith(f"{FOLDER}/") else f"{FOLDER}/{name}"
        if full == MONITOR:
            raise UsageError(
                "the monitor goes with the last repository's job", hint="remove those, or use --all"
            )
        self._end((full,))
        if not self._server.remove(full):
            raise UsageError(
                f"there is no job {full}", hint="`pushtrain jenkins status` lists what there is"
            )
        if set(self._server.jobs(FOLDER)) <= {MONITOR}:
            self._server.remove(FOLDER)
            return (full, FOLDER)
        return (full,)

    def remove_all(self) -> tuple[str, ...]:
        """Removes the folder with all in it; what was removed, nothing if there was none.

        Raises:
            JenkinsError: a build does not end; nothing is removed.
        """
        try:
            jobs = self._server.jobs(FOLDER)
        except JenkinsNotFound:
            return ()
        self._end(job for job in jobs if job != MONITOR)
        return (FOLDER,) if self._server.remove(FOLDER) else ()

    def _end(self, jobs: Iterable[str]) -> None:
        running = [(job, number) for job in jobs for number in self._running(job)]
        for job, number in running:
            self._server.stop(job, number)
        end = self._clock() + _MOST
        for job, number in running:
            if number in self._running(job):
                self._say(f"{job} #{number} is stopped, and its run ends")
            while number in self._running(job):
                if self._clock() > end:
                    raise JenkinsError(
                        f"{job} #{number} does not end: nothing is removed",
                        hint=f"end it on its page, then `pushtrain jenkins remove {job}` again",
                        job=job,
                    )
                self._pause(_LOOK)

    def _running(self, job: str) -> tuple[int, ...]:
        try:
            return tuple(one.number for one in self._server.builds(job) if one.result is None)
        except JenkinsNotFound:
            return ()
