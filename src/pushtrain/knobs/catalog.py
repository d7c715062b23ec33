"""Which parameters of which APIs are hyperparameters: the data of `catalog.toml`, validated."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from pushtrain.entities import KnobKind

Needs = Literal["hidden", "same", "pipeline"]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(_Table):
    """How a search range follows from the value as pushed.

    Attributes:
        kind: what kind of value.
        factors: the ends as multiples of the value, cut to `within`.
        span: the ends, whatever the value is.
        choices: the values of a categorical range; `others` may be pushed, but are not proposed.
        log: whether orders of magnitude count.
        features: whether half the number of the data's features is a limit as well.
    """

    kind: KnobKind
    factors: tuple[float, float] | None = None
    within: tuple[float, float] | None = None
    span: tuple[float, float] | None = None
    choices: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    log: bool = False
    features: bool = False


class Parameter(_Table):
    """A parameter that is a hyperparameter (the fields are described in `catalog.toml`)."""

    rule: str = ""
    rules: tuple[str, ...] = ()
    at: int | None = None
    also: tuple[str, ...] = ()
    name: str = ""
    needs: Needs | None = None
    each: bool = False
    square: bool = False
    frozen_by: tuple[str, ...] = ()

    @property
    def all_rules(self) -> tuple[str, ...]:
        """The names of the rules to try, in order."""
        return self.rules or (self.rule,)


class Api(_Table):
    """Things that are called, and their parameters."""

    names: tuple[str, ...]
    parameters: dict[str, Parameter]


class Harmless(_Table):
    """What a tuned constant may also reach.

    Attributes:
        calls: functions that take any value.
        methods: the same, of whatever object.
        rounding: functions whose result is as good as what they are given.
        arguments: "function.parameter", each of which takes any value.
    """

    calls: tuple[str, ...]
    rounding: tuple[str, ...]
    methods: tuple[str, ...]
    arguments: tuple[str, ...]


class Layers(_Table):
    """How Keras layers act in a chain, by their class names."""

    absorbs: frozenset[str]
    passes: frozenset[str]
    wrappers: frozenset[str]
    companions: frozenset[str]
    recurrent: frozenset[str]
    convolutions: frozenset[str]
    dense: frozenset[str]
    fixed_by: frozenset[str]
    placed_by: frozenset[str]
    most_blocks: int = Field(ge=1)


class Catalog(_Table):
    """The whole of `catalog.toml`."""

    rules: dict[str, Rule]
    api: tuple[Api, ...]
    harmless: Harmless
    layers: Layers
    features: dict[str, int]

    def parameters(self, function: str) -> tuple[Tunable, ...]:
        """The hyperparameters of a function, by its canonical name ("?.fit": of an unknown)."""
        return _parameters(function)

    def is_harmless(self, function: str, argument: str | None) -> bool:
        """Whether any value may be given to this argument of a function."""
        method = function.rpartition(".")[2]
        return (
            method in self.harmless.methods
            or any(fnmatchcase(function, pattern) for pattern in self.harmless.calls)
            or any(fnmatchcase(f"{function}.{argument}", p) for p in self.harmless.arguments)
        )


@dataclass(frozen=True, slots=True)
class Tunable:
    """A hyperparameter of one function: the function, the parameter's name, and its facts."""

    function: str
    parameter: str
    facts: Parameter

    @property
    def api(self) -> str:
        """What a knob says it reaches: "keras.layers.Dense.units"."""
        return f"{self.function.removeprefix('?.')}.{self.parameter}"

    @property
    def name(self) -> str:
        """What a knob that reaches it is called."""
        return self.facts.name or self.parameter

    @property
    def keywords(self) -> tuple[str, ...]:
        """The names under which the argument may be given."""
        return (self.parameter, *self.facts.also)


@cache
def catalog() -> Catalog:
    """The catalog that comes with pushtrain."""
    text = files("pushtrain.knobs").joinpath("catalog.toml").read_text("utf-8")
    return Catalog.model_validate(tomllib.loads(text))


@lru_cache(maxsize=4096)
def _parameters(function: str) -> tuple[Tunable, ...]:
    found: dict[str, Tunable] = {}
    for parameter, facts in _matching(function):
        found.setdefault(parameter, Tunable(function, parameter, facts))
    return tuple(found.values())


def _matching(function: str) -> Iterator[tuple[str, Parameter]]:
    """Exact names before patterns."""
    for exact in (True, False):
        for api in catalog().api:
            if any(n == function if exact else fnmatchcase(function, n) for n in api.names):
                yield from api.parameters.items()
