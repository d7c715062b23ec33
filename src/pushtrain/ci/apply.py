"""Brings a server to what is wanted: looks, plans, and carries the plan out."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from pushtrain.ci.configuration import description, signature, updated
from pushtrain.ci.definitions import Definition, Training, pipeline, shared, view
from pushtrain.ci.plan import Action, Change, plan
from pushtrain.ci.server import JenkinsItems, JenkinsSite
from pushtrain.errors import JenkinsDenied, JenkinsError, UsageError


def wanted(training: Training | None) -> tuple[Definition, ...]:
    """All that a repository needs on the server; without one, what all of them share."""
    jobs = (pipeline(training),) if training else ()
    return (*shared(), *jobs, view())


def look(server: JenkinsItems, desired: Sequence[Definition]) -> tuple[Change, ...]:
    """What must change on the server; changes nothing."""
    return plan(desired, {d.name: server.configuration(d.name, d.kind) for d in desired})


def check_name(training: Training, changes: Iterable[Change]) -> None:
    """Sees to it that a job is not made another repository's by a name that both happen to have.

    Raises:
        UsageError: the job of that name is another repository's or branch's, and the name was not
            asked for.
    """
    for change in changes:
        if training.name or change.definition.name != training.job or change.before is None:
            continue
        if signature(change.before) and not description(change.before).startswith(training.subject):
            raise UsageError(
                f"there is a job {training.job} already: {description(change.before)}",
                hint="give this one a --name of its own, or the job's to have it train this",
            )


def missing_credentials(server: JenkinsSite, training: Training) -> tuple[str, ...]:
    """Ids of credentials that the job is to use, and that the server does not have for all jobs.

    None where we may not know.
    """
    used = filter(None, (training.credentials, training.webhook))
    try:
        return tuple(name for name in used if not server.has_credentials(name))
    except JenkinsDenied:
        return ()


def carry_out(server: JenkinsItems, changes: Iterable[Change], keep: Path) -> tuple[Change, ...]:
    """Makes the changes; what is replaced is kept below `keep` as it was. Those that were made.

    Somebody else may apply the same at the same time: what was made meanwhile is updated.
    """
    done = []
    for change in changes:
        one = change.definition
        if change.action is Action.KEEP:
            continue
        if change.before is None:
            _create(server, one)
        else:
            _put_away(keep, one.name, change.before)
            server.update(one.name, updated(change.before, one.configuration), one.kind)
        done.append(change)
    return tuple(done)


def _create(server: JenkinsItems, one: Definition) -> None:
    try:
        server.create(one.name, one.configuration, one.kind)
    except JenkinsError:
        there = server.configuration(one.name, one.kind)
        if there is None:
            raise
        server.update(one.name, updated(there, one.configuration), one.kind)


def _put_away(keep: Path, name: str, configuration: str) -> None:
    keep.mkdir(parents=True, exist_ok=True, mode=0o700)
    stamp = time.strftime("%Y%m%dT%H%M%S")
    (keep / f"{stamp}-{name.replace('/', '-')}.xml").write_text(configuration, "utf-8")
