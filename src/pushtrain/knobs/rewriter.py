"""Knob values, put into a copy of the source."""

from __future__ import annotations

import ast
import bisect
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pushtrain.entities import Choices, Interval, Knob, KnobKind, KnobValue, KnobValues
from pushtrain.errors import KnobError
from pushtrain.knobs import literals
from pushtrain.knobs.blocks import Block, block_at
from pushtrain.knobs.places import Places, Span, places


class SourceRewriter:
    """Rewrites the files that knobs stand in; a `Rewriter`.

    Every file is parsed once, when the rewriter is made.
    """

    def __init__(self, root: Path, knobs: Sequence[Knob]) -> None:
        """Finds the places of `knobs` in the files below `root`.

        Raises:
            KnobError: a file or a place is not as it was when the knobs were found.
        """
        self._knobs = {knob.name: knob for knob in knobs}
        by_file: dict[str, list[Knob]] = defaultdict(list)
        for knob in knobs:
            by_file[knob.file].append(knob)
        self._files = {path: _File(root, path, found) for path, found in by_file.items()}

    def __call__(self, values: KnobValues) -> Mapping[str, bytes]:
        """The files that `values` change, whole.

        A knob without a value, or with the value that it was pushed with, changes nothing. The
        text of a number reads back as exactly the value given.

        Raises:
            KnobError: a knob is unknown, or a value does not fit it.
        """
        validate(self._knobs.values(), values)
        changed = {
            name: value for name, value in values.items() if value != self._knobs[name].value
        }
        return {
            path: content
            for path, file in self._files.items()
            if (content := file.with_values(changed)) is not None
        }


def validate(knobs: Iterable[Knob], values: KnobValues) -> None:
    """Checks that each value may stand in the place of its knob.

    A number may lie outside the knob's range (the range is only where to search); a choice must
    be one of the choices, since it becomes code.

    Raises:
        KnobError: with the knob's name, the value, and what it may be.
    """
    known = {knob.name: knob for knob in knobs}
    for name, value in values.items():
        knob = known.get(name)
        if knob is None:
            raise KnobError(
                f"no knob is called {name}", hint=f"there are: {', '.join(known)}", knob=name
            )
        allowed = _refusal(knob, value)
        if allowed:
            raise KnobError(
                f"{name} cannot be {value!r}", hint=f"give {allowed}", knob=name, value=value
            )


def _refusal(knob: Knob, value: KnobValue) -> str:
    """What the knob would take, when it does not take `value`."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    match knob.kind:
        case KnobKind.BOOLEAN:
            return "" if isinstance(value, bool) else "True or False"
        case KnobKind.INTEGER:
            return "" if is_number and isinstance(value, int) else "a whole number"
        case KnobKind.FLOAT:
            is_finite = isinstance(value, int | float) and math.isfinite(value)
            return "" if is_number and is_finite else "a finite number"
        case KnobKind.BLOCK:
            least = int(knob.range.low) if isinstance(knob.range, Interval) else 0
            fits = is_number and isinstance(value, int) and least <= value <= 99
            return "" if fits else f"a whole number from {least} to 99"
        case KnobKind.CATEGORICAL:
            assert isinstance(knob.range, Choices)
            pool = knob.range.choices
            return "" if value in pool else f"one of {', '.join(map(repr, pool))}"


@dataclass(frozen=True, slots=True)
class _Edit:
    span: Span
    text: str


class _File:
    """One file with its knobs."""

    def __init__(self, root: Path, path: str, knobs: Sequence[Knob]) -> None:
        self._path = path
        try:
            content = (root / path).read_bytes()
        except OSError as error:
            raise KnobError(
                f"{path} cannot be read: {error.strerror}",
                hint="the tree must be the one in which the knobs were found",
                file=path,
            ) from None
        self._places = places(path, content)
        self._literals: dict[str, tuple[Span, ...]] = {}
        self._blocks: dict[str, Block] = {}
        for knob in knobs:
            if knob.kind is KnobKind.BLOCK:
                self._blocks[knob.name] = located_block(self._places, knob)
            else:
                self._literals[knob.name] = located_literal(self._places, knob)

    def with_values(self, values: KnobValues) -> bytes | None:
        """The file with `values` in it; None when they do not touch it.

        Raises:
            KnobError: the result would not be Python.
        """
        text = self._places.text
        edits = [
            _Edit(span, literals.write(values[name], text[span.start : span.end]))
            for name, spans in self._literals.items()
            if name in values
            for span in spans
        ]
        edits.sort(key=lambda edit: edit.span.start)
        blocks: list[_Edit] = []
        for name in sorted(self._blocks, key=lambda name: self._blocks[name].span.start):
            if name in values:
                inner = partial(_inside, text, edits)
                span, new = self._blocks[name].times(int(values[name]), self._places, inner)
                start = max(span.start, blocks[-1].span.end if blocks else 0)
                blocks.append(_Edit(Span(start, span.end), new))
        edits = [edit for edit in edits if not any(edit.span in block.span for block in blocks)]
        edits = sorted([*edits, *blocks], key=lambda edit: edit.span.start)
        if not edits:
            return None
        content = _cut(text, Span(0, len(text)), edits).encode(self._places.encoding)
        self._check(content)
        return content

    def _check(self, content: bytes) -> None:
        try:
            ast.parse(content)
        except (SyntaxError, ValueError) as error:
            raise KnobError(
                f"{self._path} would no longer be Python: {error}",
                hint="exclude the knob that does it, under [knobs] exclude",
                file=self._path,
            ) from None


def located_literal(file: Places, knob: Knob) -> tuple[Span, ...]:
    """The spans of a knob's literal.

    Raises:
        KnobError: another value, or none, stands in its place.
    """
    spans = file.literals.get((knob.line, knob.column), ())
    texts = [file.text[span.start : span.end] for span in spans]
    found = [text if text.isidentifier() else literals.read(text) for text in texts]
    if knob.kind is KnobKind.BOOLEAN:
        found = [literals.read(text) for text in texts]
    if not found or any(value != knob.value for value in found):
        raise _moved(knob)
    return spans


def located_block(file: Places, knob: Knob) -> Block:
    """The block of a knob.

    Raises:
        KnobError: no such block stands in its place.
    """
    block = block_at(file, knob.line, knob.column, knob.api)
    if block is None:
        raise _moved(knob)
    return block


def _moved(knob: Knob) -> KnobError:
    return KnobError(
        f"{knob.name} = {knob.value!r} is not at {knob.file}:{knob.line}:{knob.column}",
        hint="the source has changed; find the knobs anew",
        knob=knob.name,
        file=knob.file,
        line=knob.line,
    )


def _inside(text: str, edits: Sequence[_Edit], span: Span) -> str:
    return _cut(text, span, edits)


def _cut(text: str, span: Span, edits: Sequence[_Edit]) -> str:
    """A part of the text, with the edits that lie in it (sorted, none over another)."""
    parts: list[str] = []
    position = span.start
    first = bisect.bisect_left(edits, span.start, key=lambda edit: edit.span.start)
    for edit in edits[first:]:
        if edit.span.end > span.end:
            break
        parts += (text[position : edit.span.start], edit.text)
        position = edit.span.end
    return "".join((*parts, text[position : span.end]))
