"""Waiting pushes delivered: none lost, none twice, the newest of each branch."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pushtrain.ci.access import Access
from pushtrain.ci.answers import job_name
from pushtrain.ci.following import is_known
from pushtrain.ci.server import JenkinsServer
from pushtrain.ci.spool import Spool, WaitingPush
from pushtrain.errors import JenkinsSilent, PushtrainError, SettingsError

_log = logging.getLogger(__name__)

COMMIT = "COMMIT"
"""The parameter of our jobs that carries the commit of a push."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one waiting push: the error that keeps it waiting, or None."""

    push: WaitingPush
    error: PushtrainError | None = None


class Deliverer:
    """Delivers what waits.

    A build is asked for directly where we have a login. Where all we have is the git plugin's
    token, Jenkins is told of the commit instead; it looks into the repository then, and an answer
    that does not name our job means that it did not listen.

    Args:
        server: the server.
        access: what we have: a login, a token, or both.
        spool: what waits.
    """

    def __init__(self, server: JenkinsServer, access: Access, spool: Spool) -> None:
        self._server = server
        self._access = access
        self._spool = spool

    def flush(self) -> tuple[Delivery, ...]:
        """Delivers until nothing waits that could be delivered.

        Where another process is at it, this one leaves it to that: it looks once more at the
        spool after it has given up the right to deliver, so that nothing is overlooked.
        """
        done: list[Delivery] = []
        stuck: set[WaitingPush] = set()
        while todo := [push for push in self._spool.waiting() if push not in stuck]:
            with self._spool.flushing() as is_ours:
                if not is_ours:
                    break
                for delivery in map(self._deliver, todo):
                    done.append(delivery)
                    if delivery.error is not None:
                        stuck.add(delivery.push)
        return tuple(done)

    def _deliver(self, push: WaitingPush) -> Delivery:
        try:
            if not self._spool.is_delivered(push) and not self._has_arrived(push):
                self._send(push)
        except PushtrainError as error:
            _log.warning("%s at %s waits: %s", push.branch, push.commit[:12], error.message)
            return Delivery(push, error)
        self._spool.settle(push)
        return Delivery(push)

    def _has_arrived(self, push: WaitingPush) -> bool:
        """Whether a push that was sent before without an answer is known to Jenkins.

        Without a login it cannot be asked, and need not: told twice of a commit it builds it once.
        """
        return (
            self._has_login
            and self._spool.is_unsure(push)
            and is_known(self._server, push.job, COMMIT, push.commit)
        )

    @property
    def _has_login(self) -> bool:
        return bool(self._access.user and self._access.token)

    def _send(self, push: WaitingPush) -> None:
        self._spool.begin(push)
        try:
            self._way()(push)
        except JenkinsSilent:
            raise  # it may have arrived: the next time Jenkins is asked first
        except BaseException:
            self._spool.take_back(push)
            raise

    def _way(self) -> Callable[[WaitingPush], None]:
        if self._has_login:
            return self._start
        if self._access.notify_token:
            return self._notify
        raise SettingsError(
            "there is neither a login nor a notifyCommit token for Jenkins",
            hint="set JENKINS_USER_ID and JENKINS_API_TOKEN, or JENKINS_NOTIFY_TOKEN",
        )

    def _start(self, push: WaitingPush) -> None:
        self._server.start(push.job, {COMMIT: push.commit})

    def _notify(self, push: WaitingPush) -> None:
        token = self._access.notify_token or ""
        told = self._server.notify_commit(push.repository, token, push.branch)
        if push.job not in map(job_name, told):  # others may listen to the same repository
            raise SettingsError(
                f"job {push.job} of {self._access.url} does not listen to {push.repository}",
                hint="spell the URL as in the job (git config pushtrain.url); a new job listens "
                "when its first build has ended",
            )


def failures(deliveries: tuple[Delivery, ...]) -> Iterator[PushtrainError]:
    """The errors of what still waits."""
    for delivery in deliveries:
        if delivery.error is not None:
            yield delivery.error
