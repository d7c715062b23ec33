"""Tables on a terminal; apart from what all commands share, since Rich takes long to import."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints aligned columns: fitted to the width of a terminal, and whole lines elsewhere."""
    console = Console() if sys.stdout.isatty() else Console(width=1000)
    grid = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        grid.add_column(heading, overflow="ellipsis", no_wrap=True)
    for row in rows:
        grid.add_row(*map(Text, row))
    with console.capture() as capture:
        console.print(grid)
    for line in capture.get().splitlines():
        click.echo(line.rstrip())
