"""Structural knobs in the text: a block of layers stands n times, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pushtrain.knobs.catalog import catalog
from pushtrain.knobs.places import Item, Places, Span

JOINT = " + "
"""Between the layers that a block's `Knob.api` names, first to last."""

Inner = Callable[[Span], str]
"""The text of a span, with the changes inside it."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block of layers: neighbours in a list, or `model.add(...)` statements in a row.

    Attributes:
        items: its layers.
        is_listed: whether they stand in a list.
        is_recurrent: whether a copy must hand on whole sequences for the next one to read.
    """

    items: tuple[Item, ...]
    is_listed: bool
    is_recurrent: bool

    @property
    def span(self) -> Span:
        """From the start of its first layer to the end of its last."""
        return Span(self.items[0].span.start, self.items[-1].span.end)

    def times(self, count: int, file: Places, inner: Inner) -> tuple[Span, str]:
        """What to write where, so that the block stands `count` times.

        Copies go before the block, which itself stays as it is: its comments, and what an LSTM
        at the end of a row returns.
        """
        if count == 0:
            return self._line(file), ""
        copy = inner(self.span)
        if self.is_recurrent:
            first = self.items[0]
            assert first.call is not None
            head = Span(first.span.start, first.call.end - 1)
            argument = f"{'' if first.open_ended else ', '}return_sequences=True"
            copy = inner(head) + argument + inner(Span(head.end, self.span.end))
        return self.span, (copy + self._joint(file)) * (count - 1) + inner(self.span)

    def _joint(self, file: Places) -> str:
        """What stands between a copy and the next one: the line break and indent of the block."""
        end, line = file.next_line(self.span.end), file.line_start(self.span.start)
        if self.is_listed and file.text[self.span.end : end.start].strip(" \t").partition("#")[0]:
            return " "  # more of the list follows on the same line
        # A form feed sets the column back to 0 (Python's reference, 2.1.8).
        indent = file.text[line : self.span.start].rpartition("\f")[2]
        blank = "".join(letter if letter == "\t" else " " for letter in indent)
        return file.text[end.start : end.end] + blank

    def _line(self, file: Places) -> Span:
        """The block with the line break, or the blanks, after it."""
        start, end = self.span.start, self.span.end
        rest = file.next_line(end)
        after = file.text[end : rest.start]
        if after.strip(" \t").partition("#")[0]:  # the next element, on the same line
            return Span(start, end + len(after) - len(after.lstrip(" \t")))
        before = file.text[file.line_start(start) : start]
        if before.strip():  # something of the list stands before it, on the same line
            return Span(start - (len(before) - len(before.rstrip(" \t"))), end)
        return Span(start - len(before), rest.end)


def block_at(file: Places, line: int, column: int, api: str) -> Block | None:
    """The block whose first layer stands at a place and whose layers `api` names."""
    row = file.rows.get((line, column))
    if row is None:
        return None
    siblings, index = row
    names = api.split(JOINT)
    items = tuple(siblings[index : index + len(names)])
    if len(items) < len(names) or index + len(names) >= len(siblings):
        return None  # something must follow, or this would be the last layer
    if any(item.call is None for item in items):
        return None
    first = items[0]
    is_recurrent = (
        names[0].rpartition(".")[2] in catalog().layers.recurrent
        and "return_sequences" not in first.keywords
    )
    is_listed = file.text[first.span.end - 1] == ","
    return Block(items, is_listed, is_recurrent)
