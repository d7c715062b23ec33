"""Which kind of model Keras code builds: told by the layers that it calls and the way it trains."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import replace

from pushtrain.code import Expr, Scope
from pushtrain.detect import data
from pushtrain.detect.facts import Facts, Use
from pushtrain.entities import Evidence

_FAMILIES = data.load("frameworks/keras.toml")["families"]
_IS = {
    kind: data.matcher(patterns)
    for kind, patterns in _FAMILIES.items()
    if isinstance(patterns, list)
}
_HUB = ("tensorflow_hub.KerasLayer", "tensorflow_hub.Module")

_PATCHING = 3

_Rule = Callable[[Facts, Sequence[Use]], Evidence | None]


def family(facts: Facts, trainings: Sequence[Use]) -> tuple[str, tuple[Evidence, ...]]:
    """The kind of model, by the first rule that fits, with its evidence.

    Args:
        facts: the program.
        trainings: its calls that train a model.
    """
    for kind, rule in _RULES:
        found = rule(facts, trainings)
        if found is not None:
            return kind, (replace(found, what=f"{kind}: {found.what}"),)
    return "other", ()


def _uses(kind: str) -> _Rule:
    """A rule: the program calls something of the list `kind`."""

    def rule(facts: Facts, _: Sequence[Use]) -> Evidence | None:
        found = facts.first(_IS[kind])
        return found[0].evidence(found[1]) if found else None

    return rule


def _adversaries(facts: Facts, trainings: Sequence[Use]) -> Evidence | None:
    """Two networks trained against each other: two things are stepped, one is fed noise."""
    stepping = [use for use in trainings if use.call.method not in {"fit", "fit_generator"}]
    stepped = {
        ast.unparse(use.call.receiver.node)
        for use in stepping
        if use.call.receiver is not None and use.call.method != "backward"
    }
    if len(stepped) < 2:
        return None
    by_batch = all(use.call.method == "train_on_batch" for use in stepping)
    is_fed_noise = by_batch and facts.first(_IS["noise"]) is not None
    words = _FAMILIES["words"]["gan"]
    if not is_fed_noise and not any(w in name.lower() for name in facts.mentions for w in words):
        return None
    return stepping[1].evidence(f"two networks are trained in turn: {', '.join(sorted(stepped))}")


def _latent(facts: Facts, _: Sequence[Use]) -> Evidence | None:
    """A latent space that is sampled (noise scaled by an exponential) or quantized."""
    sampled: dict[Scope, set[str]] = {}
    for use in facts.uses:
        for kind in ("gaussian", "exponential", "quantizing", "nearest"):
            if any(_IS[kind](name) and not name.startswith("numpy.") for name in use.names):
                scope = use.call.scope
                inside = sampled.setdefault(scope, set())
                inside.add(kind)
                if _is_part_of_a_model(facts, scope) and (
                    {"gaussian", "exponential"} <= inside or {"quantizing", "nearest"} <= inside
                ):
                    return use.evidence("a latent space is sampled or quantized")
    return None


def _is_part_of_a_model(facts: Facts, scope: Scope) -> bool:
    """Whether a scope is a function on its own or a method of a Keras class."""
    if scope.owner is None:
        return scope.parent is not None
    return any(name.startswith("keras.") for name in facts.inherited(scope.owner))


def _attention(facts: Facts, trainings: Sequence[Use]) -> Evidence | None:
    found = _uses("attention")(facts, trainings)
    if found is not None:
        return found
    if facts.first(_IS["recurrent"]) is None:
        found = _uses("plain_attention")(facts, trainings)
    if found is None:
        found = _hub(facts, is_transformer=True)
    return found


def _own_attention(facts: Facts, _: Sequence[Use]) -> Evidence | None:
    """Attention written out in a layer of its own: the softmax of a matrix product.

    A few convolutions may cut the input into patches; a network of them is a convolutional one.
    """
    if len(list(facts.calls(_IS["convolutional"]))) > _PATCHING:
        return None
    for use, _name in facts.calls(_IS["softmax"]):
        scope, arguments = use.call.scope, use.call.node.args
        if scope.owner is None or not arguments or not _is_part_of_a_model(facts, scope):
            continue
        if _is_product(Expr(scope, arguments[0])):
            return use.evidence("attention: the softmax of a matrix product")
    return None


def _is_product(expr: Expr, depth: int = 0) -> bool:
    """Whether an expression is computed by a matrix product, through a few names."""
    for node in ast.walk(expr.node):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
            return True
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in _FAMILIES["words"]["product"]:
                return True
        elif isinstance(node, ast.Name) and depth < 3:
            values = [
                binding.value
                for binding in expr.scope.bindings.get(node.id, ())
                if binding.value is not None and binding.home is expr.scope
            ]
            if any(_is_product(expr.at(value), depth + 1) for value in values):
                return True
    return False


def _hub(facts: Facts, *, is_transformer: bool) -> Evidence | None:
    """A model from TensorFlow Hub, told by its address."""
    for use, _ in facts.calls(lambda name: name in _HUB):
        given = use.call.argument("handle", 0)
        address = " ".join(
            str(literal.node.value).lower()
            for literal in (facts.program.literals(given) if given else ())
            if isinstance(literal.node, ast.Constant)
        )
        if any(word in address for word in _FAMILIES["words"]["transformer"]) is is_transformer:
            return use.evidence(f"a model from the hub: {address or 'unknown'}")
    return None


def _reconstruction(facts: Facts, trainings: Sequence[Use]) -> Evidence | None:
    """A model with a narrow middle that is trained to give back its input."""
    if facts.first(_IS["narrowing"]) is None:
        return None
    for use in trainings:
        given, wanted = use.call.argument("x", 0), use.call.argument("y", 1)
        if given is None or wanted is None:
            continue
        if ast.dump(given.node) == ast.dump(wanted.node) or (
            facts.first(_IS["expanding"]) and _is_made_from(given, wanted)
        ):
            return use.evidence("trained to give back its input")
    for use in facts.uses:
        mode = use.call.argument("class_mode")
        if mode is not None and getattr(mode.node, "value", None) == "input":
            return use.evidence("trained to give back its input")
    return _pairs(facts)


def _is_made_from(given: Expr, wanted: Expr) -> bool:
    """Whether the input is computed from the wanted output (noise added, parts taken away)."""
    if not isinstance(given.node, ast.Name) or not isinstance(wanted.node, ast.Name):
        return False
    scope = given.scope
    return any(
        isinstance(node, ast.Name) and node.id == wanted.node.id
        for binding in scope.bindings.get(given.node.id, ())
        if binding.value is not None and not binding.path
        for node in ast.walk(binding.value)
    )


def _pairs(facts: Facts) -> Evidence | None:
    """`dataset.map(lambda x: (x, x))`."""
    for scope in facts.reached:
        for returned in scope.returns:
            if (
                isinstance(returned, ast.Tuple)
                and len(returned.elts) == 2
                and isinstance(returned.elts[0], ast.Name)
                and ast.dump(returned.elts[0]) == ast.dump(returned.elts[1])
            ):
                return Evidence(scope.module.path, returned.lineno, "input and target are one")
    return None


def _pretrained(facts: Facts, _: Sequence[Use]) -> Evidence | None:
    found = facts.first(_IS["pretrained"])
    return found[0].evidence(found[1]) if found else _hub(facts, is_transformer=False)


def _factors(facts: Facts, _: Sequence[Use]) -> Evidence | None:
    """Embeddings that meet in a product, with no layer of neurons on top."""
    embeddings = list(facts.calls(_IS["embedding"]))
    products = _IS["dot"] if len(embeddings) > 1 else _IS["dot_layer"]
    if not embeddings or facts.first(products) is None:
        return None
    if facts.first(lambda name: name == "keras.layers.Dense") is not None:
        return None
    return embeddings[0][0].evidence("embeddings that meet in a product")


def _either(*rules: _Rule) -> _Rule:
    def rule(facts: Facts, trainings: Sequence[Use]) -> Evidence | None:
        return next((e for r in rules if (e := r(facts, trainings)) is not None), None)

    return rule


_RULES: tuple[tuple[str, _Rule], ...] = (
    ("rl", _uses("environments")),
    ("gan", _adversaries),
    ("boosting", _uses("trees")),
    ("cnn", _uses("diffusion")),
    ("vae", _latent),
    ("gnn", _uses("graph")),
    ("transformer", _attention),
    ("autoencoder", _reconstruction),
    ("rnn", _uses("recurrent")),
    ("transformer", _own_attention),
    ("cnn", _either(_uses("convolutional"), _pretrained)),
    ("embedding", _factors),
    ("mlp", _either(_uses("dense"), _uses("embedding"))),
)
"""In the order of what says most: a transformer with convolutions is a transformer."""
