"""What a trial's script wrote down of all attempts: the truth about what was trained how often."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Ledger:
    """Epochs in the order in which they were `trained`.

    `saved` says that all up to this one had been saved, `kept` that this one had.
    """

    entries: tuple[tuple[str, int], ...]

    @classmethod
    def of(cls, log: Path) -> Ledger | None:
        """What the last line of its kind in a trial's log tells; None where it tells nothing."""
        lines = log.read_text("utf-8", "replace").splitlines()
        told = [line.split()[1:] for line in lines if line.startswith("ledger: ")]
        if not told:
            return None
        words = told[-1]
        return cls(tuple(zip(words[::2], map(int, words[1::2]), strict=True)))

    @property
    def trained(self) -> tuple[int, ...]:
        """The epochs that were trained, in their order."""
        return tuple(epoch for what, epoch in self.entries if what == "trained")

    @property
    def lost(self) -> int:
        """How many epochs were trained again although they had been saved."""
        saved: set[int] = set()
        lost = 0
        for what, epoch in self.entries:
            if what == "trained":
                lost += epoch in saved
            else:
                saved |= {epoch} if what == "kept" else {*range(1, epoch + 1)}
        return lost

    @property
    def repeated(self) -> int:
        """How many epochs were trained again, saved or not."""
        return len(self.trained) - len(set(self.trained))
