"""What must change on a server: a pure function of what is wanted and what is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pushtrain.ci.configuration import difference, fingerprint, signature
from pushtrain.ci.definitions import Definition


class Action(StrEnum):
    """What is done about one definition."""

    KEEP = "keep"
    """It is as it should be, and is not touched."""
    CREATE = "create"
    """It is missing."""
    UPDATE = "update"
    """It says something else."""


class Cause(StrEnum):
    """Why something on the server differs."""

    NONE = "none"
    MISSING = "missing"
    DEFINITION = "definition"
    """What is wanted has changed since it was applied."""
    BY_HAND = "by hand"
    """What is wanted is as it was applied: somebody changed the server."""
    FOREIGN = "foreign"
    """Something of that name is there, and pushtrain did not make it."""


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one definition.

    Attributes:
        definition: what is wanted.
        action: what is done.
        cause: why.
        difference: the lines of a unified diff, empty for what is kept or created.
        before: the configuration that is replaced.
    """

    definition: Definition
    action: Action
    cause: Cause
    difference: tuple[str, ...] = ()
    before: str | None = None


def plan(desired: Sequence[Definition], observed: Mapping[str, str | None]) -> tuple[Change, ...]:
    """What must be done, in the order of `desired`.

    Args:
        desired: what is wanted; a folder before what is in it.
        observed: the configuration of each by its name, None for what is not there.
    """
    return tuple(_change(one, observed.get(one.name)) for one in desired)


def _change(wanted: Definition, there: str | None) -> Change:
    if there is None:
        return Change(wanted, Action.CREATE, Cause.MISSING)
    lines = difference(there, wanted.configuration)
    made_from = signature(there)
    if not lines and made_from is not None:
        return Change(wanted, Action.KEEP, Cause.NONE)
    if made_from is None:
        cause = Cause.FOREIGN
    elif made_from == fingerprint(wanted.configuration):
        cause = Cause.BY_HAND
    else:
        cause = Cause.DEFINITION
    return Change(wanted, Action.UPDATE, cause, lines, there)
