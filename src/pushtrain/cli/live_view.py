"""A run on a terminal, redrawn in place."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from pushtrain.cli.progress import epoch_value_text, told
from pushtrain.cli.render import fixed
from pushtrain.entities import RunState
from pushtrain.events import Entry, EpochEnded, StateChanged, TrialStarted
from pushtrain.record import RunRecord
from pushtrain.telling.text import duration


class LiveView:
    """Trials, epoch, metric against target and time left, redrawn in place."""

    def __init__(self) -> None:
        self._record = RunRecord("")
        self._line = ""
        self._live = Live(
            get_renderable=self._draw, console=Console(), refresh_per_second=4, transient=True
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def on_entry(self, entry: Entry, record: RunRecord) -> None:
        """Redraws, and keeps what should stay on the screen."""
        self._record = record
        is_fleeting = isinstance(entry.event, EpochEnded | StateChanged | TrialStarted)
        line = None if is_fleeting else told(entry, record)
        if line:
            self._live.console.print(Text(line))

    def on_line(self, line: str) -> None:
        """Shows the line until the next one."""
        self._line = line.strip()

    def _draw(self) -> Group:
        record = self._record
        if record.state is RunState.BUILDING:
            return Group(Text(f"building the image · {self._line}"[:120], style="dim"))
        if record.state is not RunState.TRAINING or record.objective is None:
            return Group(Text(self._line[:120], style="dim"))
        return Group(_standing(record), *[_under_way(record, number) for number in record.running])


def _standing(record: RunRecord) -> Group:
    """Best value against the target, trials and time used: two lines that fit 80 columns."""
    assert record.objective is not None and record.budget is not None
    best, target = record.best, record.objective.target
    share = min(best.value / target, 1.0) if best and best.value and target > 0 else 0.0
    grid = Table.grid(padding=(0, 2))
    grid.add_row(
        Text(f"run {record.id}", style="bold"),
        f"best {fixed(best.value) if best and best.value is not None else '-'}"
        f" of {record.objective}",
        ProgressBar(total=1.0, completed=share, width=24),
    )
    return Group(
        grid,
        f"trial {len(record.origins)} of at most {record.budget.trials}, "
        f"{duration(time.time() - record.started)} of at most {duration(record.budget.seconds)}",
    )


def _under_way(record: RunRecord, number: int) -> Table:
    """One trial that is training now."""
    epochs = record.epochs.get(number, ())
    planned = record.planned_epochs.get(number)
    grid = Table.grid(padding=(0, 2))
    grid.add_row(
        f"trial {number} ({record.origins.get(number, '')})",
        f"epoch {len(epochs)}{f'/{planned}' if planned else ''}",
        ProgressBar(total=planned or 1, completed=len(epochs), width=24),
        epoch_value_text(record, epochs[-1]) if epochs else "",
    )
    return grid
