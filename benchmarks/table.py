"""One line of the result, and the table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """What was compared: seconds of the one and the other, and the goal for their ratio."""

    name: str
    what: str
    seconds: float
    than: str
    other: float
    goal: str = ""

    @property
    def ratio(self) -> float:
        """How many times as long `what` takes."""
        return self.seconds / self.other


def show(rows: list[Row]) -> None:
    """Prints the table as Markdown."""
    print("| benchmark | what | seconds | against | seconds | ratio | goal |")
    print("|---|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row.name} | {row.what} | {row.seconds:.3f} | {row.than} | {row.other:.3f} "
            f"| {row.ratio:.2f} | {row.goal} |"
        )
