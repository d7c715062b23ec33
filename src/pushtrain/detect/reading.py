"""One entry script, read: its program, the facts in it, and what it trains."""

from __future__ import annotations

from dataclasses import dataclass

from pushtrain.code import Files, Program
from pushtrain.detect.facts import Facts, Finding
from pushtrain.detect.frameworks import FINDERS


@dataclass(frozen=True, slots=True)
class Reading:
    """What a program does when it is run from `entry`.

    Attributes:
        entry: the script, as a POSIX path relative to the tree's root.
        program: the script and the local modules that it imports.
        facts: the calls in it that can run.
        finding: what it trains; None when it trains nothing.
    """

    entry: str
    program: Program
    facts: Facts
    finding: Finding | None

    def idle(self) -> Finding | None:
        """What a program that trains nothing would train, if something called it."""
        return (
            None if self.finding else _best(Facts(self.program, frozenset(self.program.scopes())))
        )


def read(files: Files, entry: str) -> Reading:
    """Reads the program that starts at `entry`.

    Raises:
        SourceError: the entry is not a readable file of the tree.
    """
    program = Program(files, entry)
    facts = Facts(program, program.reached())
    return Reading(entry, program, facts, _best(facts))


def _best(facts: Facts) -> Finding | None:
    """The finding of the framework that trains the main model."""
    found = [finding for find in FINDERS if (finding := find(facts)) is not None]
    return min(found, key=lambda finding: finding.rank, default=None)
