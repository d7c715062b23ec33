"""Finding the knobs of a program: the literals that are hyperparameters by all their uses."""

from __future__ import annotations

import ast
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from pushtrain.code import Call, Expr, Program
from pushtrain.entities import Choices, Detection, Interval, Knob, KnobKind, KnobValue
from pushtrain.errors import KnobError
from pushtrain.knobs import ranges
from pushtrain.knobs.catalog import Rule, Tunable, catalog
from pushtrain.knobs.chains import Chains
from pushtrain.knobs.layers import Layers
from pushtrain.knobs.needs import Needs
from pushtrain.knobs.optimizers import optimizers
from pushtrain.knobs.places import places
from pushtrain.knobs.positions import start
from pushtrain.knobs.reach import Reaching
from pushtrain.knobs.rewriter import located_block, located_literal
from pushtrain.knobs.selection import selected
from pushtrain.knobs.structure import Structures
from pushtrain.knobs.uses import Uses
from pushtrain.settings import KnobSettings

_log = logging.getLogger(__name__)


def find_knobs(root: Path, detection: Detection, settings: KnobSettings) -> tuple[Knob, ...]:
    """The knobs of the program that `detection` found, in the order of the code.

    Nothing is imported or run. A literal is a knob when every use of it that can be followed is
    one as a hyperparameter (or harmless: printed, logged), and its file can be rewritten.

    Args:
        root: the tree.
        detection: which script runs; one that trains nothing has no knobs.
        settings: the repository's `[knobs]`.

    Raises:
        SourceError: the script is not a readable file of the tree.
        KnobError: the settings name a knob that is not there, or a range that does not suit.
    """
    found: list[Knob] = []
    if detection.trains:
        program = Program.read(root, detection.entry)
        found = _rewritable(root, _Finder(program, detection).knobs())
    return selected(_numbered(found), settings)


class _Finder:
    """The search through one program."""

    def __init__(self, program: Program, detection: Detection) -> None:
        self._program = program
        self._uses = Uses(program)
        chains = Chains(self._uses)
        layers = Layers(self._uses, chains)
        self._reaching = Reaching(self._uses)
        self._needs = Needs(self._uses, layers)
        self._structures = Structures(self._uses, chains, layers)
        sizes = {catalog().features.get(name) for name in detection.datasets}
        self._features = sizes.pop() if len(sizes) == 1 else None

    def knobs(self) -> list[Knob]:
        """All knobs, in the order of the code; several may have one name."""
        order = {module.path: place for place, module in enumerate(self._program.modules)}
        found = [*self._literals(), *optimizers(self._uses)]
        if not self._needs.is_structure_fixed:
            found.extend(self._blocks())
        return sorted(found, key=lambda knob: (order[knob.file], knob.line, knob.column))

    # --- literals ------------------------------------------------------------------------------

    def _literals(self) -> Iterator[Knob]:
        judged: set[ast.AST] = set()
        for call in self._uses.calls:
            for function in self._reaching.functions(call):
                for tunable in catalog().parameters(function):
                    for origin in self._origins(call, tunable):
                        if origin.node not in judged:
                            judged.add(origin.node)
                            yield from self._judged(origin)

    def _origins(self, call: Call, tunable: Tunable) -> Iterator[Expr]:
        """The literals that reach a parameter."""
        given = [call.argument(name) for name in tunable.keywords]
        given.append(call.argument("", tunable.facts.at))
        for argument in (*given, *self._unpacked(call, tunable)):
            if argument is None:
                continue
            for literal in self._program.literals(argument):
                node = literal.node
                if isinstance(node, ast.Tuple | ast.List) and tunable.facts.each:
                    yield from (literal.at(element) for element in node.elts)
                elif isinstance(node, ast.Constant) or tunable.facts.square:
                    yield literal

    def _unpacked(self, call: Call, tunable: Tunable) -> Iterator[Expr]:
        """What dictionaries that are given as `**` hold for a parameter."""
        for keyword in call.node.keywords:
            if keyword.arg is None:
                for literal in self._program.literals(call.expr.at(keyword.value)):
                    if isinstance(literal.node, ast.Dict):
                        pairs = zip(literal.node.keys, literal.node.values, strict=True)
                        yield from (
                            literal.at(value)
                            for key, value in pairs
                            if isinstance(key, ast.Constant) and key.value in tunable.keywords
                        )

    def _judged(self, origin: Expr) -> Iterator[Knob]:
        """The knob of a literal; none where it must not be touched."""
        value = _value(origin.node)
        reaches = self._reaching.of(origin)
        if value is None or not reaches or not all(map(self._needs.are_met, reaches)):
            return
        direct = [reach.tunable for reach in reaches if not reach.is_computed]
        if not direct:
            return
        rules = [_rule(value, tunable) for tunable in direct]
        kinds = {rule.kind if rule else None for rule in rules}
        span = self._range(value, rules)
        if span is None or len(kinds) > 1:
            return
        tunable, kind = direct[0], kinds.pop()
        assert kind is not None
        if kind is KnobKind.FLOAT:
            value = float(value)  # `C=1`
        line, column = start(origin.module, origin.node)
        file = origin.module.path
        yield Knob(tunable.name, kind, file, line, column, value, span, tunable.api)

    def _range(self, value: KnobValue, rules: Iterable[Rule | None]) -> Interval | Choices | None:
        """What all the rules allow."""
        span: Interval | Choices | None = None
        for rule in rules:
            allowed = ranges.around(value, rule, self._features) if rule else None
            span = ranges.common(span, allowed) if span and allowed else allowed
            if span is None:
                return None
        return span

    # --- blocks --------------------------------------------------------------------------------

    def _blocks(self) -> Iterator[Knob]:
        for block in self._structures.found():
            line, column = start(block.module, block.nodes[0])
            span = Interval(block.low, block.high)
            file = block.module.path
            yield Knob(block.name, KnobKind.BLOCK, file, line, column, 1, span, block.api)


def _value(node: ast.expr) -> KnobValue | None:
    """The value of a literal; of a tuple or list, the number that it repeats."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, bool | int | float | str) else None
    if not isinstance(node, ast.Tuple | ast.List) or not node.elts:
        return None
    values = [_value(element) for element in node.elts]
    is_bare = node.elts[0].col_offset == node.col_offset  # `3, 3`: no bracket marks its place
    is_square = all(type(value) is int and value == values[0] for value in values)
    return values[0] if is_square and not is_bare else None


def _rule(value: KnobValue, tunable: Tunable) -> Rule | None:
    """The first rule of a parameter that can turn such a value."""
    rules = (catalog().rules[name] for name in tunable.facts.all_rules)
    return next((rule for rule in rules if ranges.fits(value, rule)), None)


def _rewritable(root: Path, knobs: Sequence[Knob]) -> list[Knob]:
    """The knobs that stand where the rewriter finds them; a file that cannot be parsed without
    loss has none."""
    found: list[Knob] = []
    refused: set[str] = set()
    for knob in knobs:
        if knob.file in refused:
            continue
        try:
            file = places(knob.file, (root / knob.file).read_bytes())
        except (KnobError, OSError) as error:
            refused.add(knob.file)
            _log.warning("no knobs in %s: %s", knob.file, error)
            continue
        try:
            if knob.kind is KnobKind.BLOCK:
                located_block(file, knob)
            else:
                located_literal(file, knob)
        except KnobError as error:
            _log.debug("no knob: %s", error)
            continue
        found.append(knob)
    return found


def _numbered(knobs: Iterable[Knob]) -> list[Knob]:
    """The knobs with a name each: "units", "units_2", "units_3"."""
    seen: Counter[str] = Counter()
    found = []
    for knob in knobs:
        seen[knob.name] += 1
        count = seen[knob.name]
        found.append(knob if count == 1 else replace(knob, name=f"{knob.name}_{count}"))
    return found
