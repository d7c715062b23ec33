"""Structural knobs in the program: the blocks of hidden layers that may be repeated or dropped."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pushtrain.code import Call, Expr, Module
from pushtrain.knobs.blocks import JOINT
from pushtrain.knobs.catalog import catalog
from pushtrain.knobs.chain import Link
from pushtrain.knobs.chains import Chains
from pushtrain.knobs.layers import Layers
from pushtrain.knobs.uses import Uses

_PICKS = frozenset({"layers", "get_layer", "set_weights"})
_MANY = 3
"""A model with so many blocks gets at most one copy of each."""


@dataclass(frozen=True, slots=True)
class Structure:
    """A block of layers that is proven to be free.

    Attributes:
        module: where it stands.
        nodes: the elements or statements that are its layers, in a row.
        api: the layers' names, joined.
        low: how often it must stand at least.
        high: how often it may stand at most.
    """

    module: Module
    nodes: tuple[ast.expr, ...]
    api: str
    low: int
    high: int

    @property
    def name(self) -> str:
        """What the knob is called: "dense_block"."""
        return f"{self.api.partition(JOINT)[0].rpartition('.')[2].lower()}_block"


class Structures:
    """Finds the blocks of a program's Sequential models."""

    def __init__(self, uses: Uses, chains: Chains, layers: Layers) -> None:
        self._uses = uses
        self._chains = chains
        self._layers = layers

    def found(self) -> Iterator[Structure]:
        """All blocks, model by model, first layers first."""
        for model in self._chains.models:
            links = () if self._is_looked_into(model) else self._chains.of(model)
            blocks = [block for i in range(len(links)) if (block := self._block(links, i))]
            high = catalog().layers.most_blocks if len(blocks) < _MANY else 2
            for low, row in blocks:
                names = [f"keras.layers.{link.kind}" for link in row]
                nodes = tuple(link.statement or link.layer.node for link in row)
                yield Structure(model.module, nodes, JOINT.join(names), low, high)

    def _is_looked_into(self, model: Expr) -> bool:
        """Whether the program picks layers of the model by their place or name."""
        parents = (self._uses.parent(use.node) for use in self._uses.of(model))
        return any(isinstance(p, ast.Attribute) and p.attr in _PICKS for p in parents)

    def _block(self, links: Sequence[Link], index: int) -> tuple[int, list[Link]] | None:
        """(how often it must stand, its layers) of the block that starts at `index`."""
        first = links[index]
        if not self._is_free(first) or first.call is None or first.is_repeated:
            return None
        low = self._least(first)
        if low is None or not self._layers.is_hidden(first.layer):
            return None
        block = [first]
        for link in links[index + 1 :]:
            is_companion = link.kind in catalog().layers.companions and self._is_free(link)
            if not is_companion or link.guards != first.guards:
                break
            block.append(link)
        return low, block

    def _least(self, link: Link) -> int | None:
        """How often a layer must stand; None when even a copy would change a shape."""
        layers = catalog().layers
        if link.kind in layers.dense:
            return 0
        if link.kind in layers.convolutions:
            plain = self._is(link, ("padding", "border_mode"), "same") and not self._has(
                link, "strides", "subsample", position=2
            )
            return 0 if plain else None
        if link.kind in layers.recurrent:
            if not self._has(link, "return_sequences"):
                return 1
            return 0 if self._is(link, ("return_sequences",), True) else None
        return None

    def _is_free(self, link: Link) -> bool:
        """Whether a layer is made where it stands, once, and nothing ties it to its place."""
        call = link.call
        if call is None or isinstance(call.func, ast.Call):
            return False
        names = self._uses.program.names(link.layer.at(call.func))
        if names != (f"keras.layers.{link.kind}",):
            return False  # a wrapper, or made by a function
        fixed = catalog().layers.fixed_by | catalog().layers.placed_by
        return all(k.arg is not None and k.arg not in fixed for k in call.keywords)

    def _has(self, link: Link, *names: str, position: int | None = None) -> bool:
        assert link.call is not None
        call = Call(link.layer.scope, link.call)
        return any(call.argument(name, position) is not None for name in names)

    def _is(self, link: Link, names: Sequence[str], value: object) -> bool:
        assert link.call is not None
        return is_given(Call(link.layer.scope, link.call), names, value)


def is_given(call: Call, names: Sequence[str], value: object) -> bool:
    """Whether a call says `name=value` outright, strings in whatever case."""
    for name in names:
        given: Expr | None = call.argument(name)
        if given is not None and isinstance(given.node, ast.Constant):
            found = given.node.value
            return (found.lower() if isinstance(found, str) else found) == value
    return False
