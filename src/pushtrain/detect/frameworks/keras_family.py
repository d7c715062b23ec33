"""Which kind of model Keras code builds: told by the layers that it calls and the way it trains."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

from pushtrain.code import Expr
from pushtrain.detect import data
from pushtrain.detect.facts import Facts, Use
from pushtrain.entities import Evidence

_FAMILIES = data.load("frameworks/keras.toml")["families"]
_IS = {
    kind: data.matcher(patterns)
    for kind, patterns in _FAMILIES.items()
    if isinstance(patterns, list)
}
_HUB = ("tensorflow_hub.KerasLayer", "tensorflow_hub.load", "tensorflow_hub.Module")

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
            return kind, (found,)
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
    stepped = {ast.unparse(use.call.receiver.node) for use in stepping if use.call.receiver}
    if len(stepped) < 2:
        return None
    is_named = any("discriminator" in name.lower() for name in facts.mentions)
    if not is_named and facts.first(_IS["noise"]) is None:
        return None
    return stepping[1].evidence(f"two networks are trained in turn: {', '.join(sorted(stepped))}")


def _latent(facts: Facts, _: Sequence[Use]) -> Evidence | None:
    """A latent space that is sampled (noise scaled by an exponential) or quantized."""
    sampled: dict[object, set[str]] = {}
    for use in facts.uses:
        for kind in ("noise", "exponential", "quantizing", "nearest"):
            if any(_IS[kind](name) and not name.startswith("numpy.") for name in use.names):
                scope = use.call.scope
                where = scope.owner or scope
                sampled.setdefault(where, set()).add(kind)
                inside = sampled[where]
                is_module = scope.parent is None
                if not is_module and (
                    {"noise", "exponential"} <= inside or {"quantizing", "nearest"} <= inside
                ):
                    return use.evidence("a latent space is sampled or quantized")
    return None


def _attention(facts: Facts, trainings: Sequence[Use]) -> Evidence | None:
    found = _uses("attention")(facts, trainings)
    if found is not None:
        return found
    if facts.first(_IS["recurrent"]) is None:
        found = _uses("plain_attention")(facts, trainings)
    if found is None:
        found = _hub(facts, is_transformer=True)
    return found


def _hub(facts: Facts, *, is_transformer: bool) -> Evidence | None:
    """A model from TensorFlow Hub, told by its address."""
    for use, _ in facts.calls(lambda name: name in _HUB):
        given = use.call.argument("handle", 0)
        address = " ".join(
            str(literal.node.value).lower()
            for literal in (facts.program.literals(given) if given else ())
            if isinstance(literal.node, ast.Constant)
        )
        if any(word in address for word in _FAMILIES["names"]["transformer"]) is is_transformer:
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
    if len(embeddings) < 2 or facts.first(_IS["dot"]) is None:
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
    ("vae", _latent),
    ("gnn", _uses("graph")),
    ("transformer", _attention),
    ("autoencoder", _reconstruction),
    ("rnn", _uses("recurrent")),
    ("cnn", _either(_uses("convolutional"), _pretrained)),
    ("embedding", _factors),
    ("mlp", _either(_uses("dense"), _uses("embedding"))),
)
"""In the order of what says most: a transformer with convolutions is a transformer."""
