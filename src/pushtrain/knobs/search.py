"""The search for knobs in one program."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from pushtrain.code import Call, Expr, Literal, Made, Program, Value
from pushtrain.entities import Choices, Detection, Interval, Knob, KnobKind, KnobValue
from pushtrain.knobs import ranges
from pushtrain.knobs.catalog import Rule, Tunable, catalog
from pushtrain.knobs.chains import Chains
from pushtrain.knobs.layers import Layers
from pushtrain.knobs.needs import Needs
from pushtrain.knobs.optimizers import optimizers
from pushtrain.knobs.positions import start
from pushtrain.knobs.reach import Reaching
from pushtrain.knobs.structure import Structures
from pushtrain.knobs.uses import Uses


class Search:
    """The search through one program."""

    def __init__(self, program: Program, detection: Detection) -> None:
        """Reads where everything in `program` is used."""
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
                for value in self._program.values(call.expr.at(keyword.value)):
                    for name, item in _items(value):
                        if name in tunable.keywords:
                            yield item

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


def _items(value: Value) -> Iterator[tuple[object, Expr]]:
    """The (key, value) pairs of `{...}` and of `dict(...)`."""
    if isinstance(value, Literal) and isinstance(value.expr.node, ast.Dict):
        pairs = zip(value.expr.node.keys, value.expr.node.values, strict=True)
        yield from ((k.value, value.expr.at(v)) for k, v in pairs if isinstance(k, ast.Constant))
    elif isinstance(value, Made) and value.name == "builtins.dict":
        keywords = value.by.node.keywords if isinstance(value.by.node, ast.Call) else ()
        yield from ((keyword.arg, value.by.at(keyword.value)) for keyword in keywords)


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
