"""Where the literals and layers of a file stand, to the character.

libcst parses the file and tells positions; a change is then cut into the text itself, so that all
else stays as it is by construction. Two things that libcst does not take are smoothed for it: form
feeds at the start of a line, and line ends of a lone carriage return. A file that it then does not
give back whole has no places that could be trusted, and is refused.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import libcst as cst
from libcst.metadata import CodeRange, MetadataWrapper, PositionProvider

from pushtrain.errors import KnobError

Place = tuple[int, int]
"""1-based line and 0-based column, in characters."""

_LONE_RETURN = re.compile(r"\r(?!\n)")
_FEEDS = re.compile(r"(?m)^\f+")
_BREAK = re.compile(r"\r\n|\r|\n")
_LITERALS = (cst.Integer, cst.Float, cst.SimpleString, cst.Name, cst.UnaryOperation)


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a file's text, from `start` up to, not including, `end`."""

    start: int
    end: int

    def __contains__(self, other: Span) -> bool:
        return self.start <= other.start and other.end <= self.end


@dataclass(frozen=True, slots=True)
class Item:
    """A layer among its siblings: an element of a list, or a `model.add(...)` statement.

    Attributes:
        span: the layer's own text, with the comma that follows it in a list.
        call: the text of the call that makes the layer; None where it is not made here.
        open_ended: whether a further argument needs no comma before it.
        keywords: names of the call's keyword arguments.
    """

    span: Span
    call: Span | None
    open_ended: bool
    keywords: frozenset[str]


class Places:
    """One parsed file.

    Attributes:
        text: the whole text, as decoded.
        encoding: how it is encoded.
    """

    def __init__(self, path: str, content: bytes) -> None:
        """Parses `content`.

        Raises:
            KnobError: it is not Python that can be put back byte for byte.
        """
        try:
            self.encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
            self.text = content.decode(self.encoding)
            plain = _FEEDS.sub("", _LONE_RETURN.sub("\n", self.text))
            wrapper = MetadataWrapper(cst.parse_module(plain), unsafe_skip_copy=True)
            is_whole = wrapper.module.code == plain
            is_whole = is_whole and self.text.encode(self.encoding) == content
            positions = wrapper.resolve(PositionProvider)
        except (
            cst.ParserSyntaxError,
            SyntaxError,
            ValueError,
            LookupError,
            RecursionError,
        ) as error:
            raise _unreadable(path, str(error).partition("\n")[0]) from None
        if not is_whole:
            raise _unreadable(path, "parsing it loses characters")
        self._starts = [0, *(m.end() for m in _BREAK.finditer(self.text))]
        self._feeds = [_count_feeds(self.text, start) for start in self._starts]
        notes = _Notes(self, positions)
        for node in positions:
            notes.note(node)
        self.literals: dict[Place, tuple[Span, ...]] = notes.literals
        """The text spans of the literal at a place: one, or all the numbers of a tuple."""
        self.rows: dict[Place, tuple[Sequence[Item], int]] = notes.rows
        """The siblings of the layer at a place, and its index among them."""

    def offset(self, line: int, column: int) -> int:
        """The index in `text` of a place that libcst tells."""
        return self._starts[line - 1] + self._feeds[line - 1] + column

    def column(self, line: int, column: int) -> int:
        """The column in `text` of a place that libcst tells."""
        return self._feeds[line - 1] + column

    def line_start(self, offset: int) -> int:
        """Where the line of `offset` starts."""
        return max(self.text.rfind("\n", 0, offset), self.text.rfind("\r", 0, offset)) + 1

    def next_line(self, offset: int) -> Span:
        """The next line break at or after `offset` (empty at the end of the text)."""
        found = _BREAK.search(self.text, offset)
        return Span(*found.span()) if found else Span(len(self.text), len(self.text))


@lru_cache(maxsize=32)
def places(path: str, content: bytes) -> Places:
    """The places of a file, parsed once however often it is asked for.

    Raises:
        KnobError: it cannot be parsed.
    """
    return Places(path, content)


def _count_feeds(text: str, start: int) -> int:
    """How many form feeds stand at `start`."""
    end = start
    while text[end : end + 1] == "\f":
        end += 1
    return end - start


def _unreadable(path: str, why: str) -> KnobError:
    return KnobError(
        f"{path} cannot be rewritten: {why}",
        hint="its values stay as they are; make it valid Python 3",
        file=path,
    )


class _Notes:
    """The places of literals and of rows of layers."""

    def __init__(self, of: Places, positions: Mapping[cst.CSTNode, CodeRange]) -> None:
        self._of = of
        self._positions = positions
        self.literals: dict[Place, tuple[Span, ...]] = {}
        self.rows: dict[Place, tuple[Sequence[Item], int]] = {}

    def note(self, node: cst.CSTNode) -> None:
        """Notes one node of the tree; their order does not matter."""
        if isinstance(node, _LITERALS):
            self.literals[self._place(node)] = (self._span(node),)
        elif isinstance(node, cst.Tuple | cst.List):
            self._collection(node)
        elif isinstance(node, cst.IndentedBlock | cst.Module):
            self._statements(node.body)

    def _collection(self, node: cst.Tuple | cst.List) -> None:
        values = [element.value for element in node.elements]
        if values and all(isinstance(value, cst.Integer) for value in values):
            opening = node.lbracket if isinstance(node, cst.List) else next(iter(node.lpar), None)
            if opening is not None:
                self.literals[self._place(opening)] = tuple(map(self._span, values))
        if isinstance(node, cst.List) and not any(value.lpar for value in values):
            items = [self._element(element) for element in node.elements]
            for index, value in enumerate(values):
                self.rows[self._place(value)] = (items, index)

    def _element(self, element: cst.BaseElement) -> Item:
        span = self._span(element.value)
        comma = element.comma
        if isinstance(comma, cst.Comma):
            span = Span(span.start, self._span(comma).end)
        return self._item(span, element.value)

    def _statements(self, body: Sequence[cst.BaseStatement]) -> None:
        items: list[Item] = []
        for index, statement in enumerate(body):
            small = _only(statement)
            if small is None:
                items.append(Item(self._span(statement), None, False, frozenset()))
                continue
            call = small.value
            assert isinstance(call, cst.Call)
            inner = call.args[0].value if len(call.args) == 1 else call
            items.append(self._item(self._span(small), inner))
            self.rows[self._place(small)] = (items, index)

    def _item(self, span: Span, value: cst.BaseExpression) -> Item:
        if not isinstance(value, cst.Call):
            return Item(span, None, False, frozenset())
        keywords = frozenset(a.keyword.value for a in value.args if a.keyword is not None)
        is_open = not value.args or isinstance(value.args[-1].comma, cst.Comma)
        return Item(span, self._span(value), is_open, keywords)

    def _place(self, node: cst.CSTNode) -> Place:
        start = self._positions[node].start
        return start.line, self._of.column(start.line, start.column)

    def _span(self, node: cst.CSTNode) -> Span:
        where = self._positions[node]
        return Span(
            self._of.offset(where.start.line, where.start.column),
            self._of.offset(where.end.line, where.end.column),
        )


def _only(statement: cst.BaseStatement) -> cst.Expr | None:
    """The call that a line consists of; None for any other statement."""
    if not isinstance(statement, cst.SimpleStatementLine) or len(statement.body) != 1:
        return None
    small = statement.body[0]
    is_call = isinstance(small, cst.Expr) and isinstance(small.value, cst.Call)
    return small if is_call and isinstance(small, cst.Expr) else None
