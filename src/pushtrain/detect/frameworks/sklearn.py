"""scikit-learn: estimators that are fitted, also inside pipelines, searches and validations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from pushtrain.detect import data
from pushtrain.detect.facts import Facts, Finding, Use
from pushtrain.entities import Evidence, Task

_DATA = data.load("frameworks/sklearn.toml")
_METHODS = frozenset(_DATA["training"]["methods"])
_validates = data.matcher(_DATA["training"]["calls"])
_is_function = data.matcher(_DATA["training"]["functions"])
_KINDS = [(kind, data.matcher(patterns)) for kind, patterns in _DATA["estimators"].items()]
_asks_classes = data.matcher(_DATA["tasks"]["classification"])
_asks_values = data.matcher(_DATA["tasks"]["regression"])
RANK = 30


def find(facts: Facts) -> Finding | None:
    """What scikit-learn trains in the program; None when it only prepares data or measures."""
    trained = list(_trained(facts))
    models = [found for found in trained if found[1] != "describing"] or trained
    if not models:
        return None
    kind, why = _family(models)
    task, task_why = _task(facts, [name for _, _, name in models], kind)
    first, _, name = models[0]
    return Finding(
        framework="sklearn",
        family=kind,
        task=task,
        evidence=(first.evidence(f"trains: {name}"), *why, *task_why),
        rank=RANK,
        needs=("scikit-learn",),
    )


def _trained(facts: Facts) -> Iterator[tuple[Use, str, str]]:
    """Each training call with the kind and name of every estimator that it trains."""
    for use in facts.uses:
        for name, given in _estimators(facts, use):
            kinds = [(kind, n) for n in given if (kind := _kind(n))]
            inner = [(kind, n) for kind, n in kinds if kind not in {"wrapping", "preparing"}]
            if inner:
                yield from ((use, kind, n) for kind, n in inner)
            elif kinds and all(kind == "wrapping" for kind, _ in kinds):
                yield use, "predicting", name  # a wrapper of something that cannot be followed


def _estimators(facts: Facts, use: Use) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What a call trains, if it does: the called name, and the estimators in what it trains."""
    for name in use.names:
        if _validates(name):
            given = facts.made(use.call.argument("estimator", 0))
            yield from [(name, given)] if given else _unknown(facts)
            return
        if _is_function(name):
            yield name, (name,)
            return
        base, _, method = name.rpartition(".")
        if method in _METHODS and base.startswith(("sklearn.", "imblearn.", "mlxtend.")):
            yield name, (base, *facts.made(use.call.receiver))
            return
    if (
        not use.names
        and use.call.method in _METHODS
        and not facts.program.values(use.call.function)
    ):
        keywords = {keyword.arg for keyword in use.call.node.keywords}
        if keywords <= {"X", "y", "sample_weight"}:
            yield from _unknown(facts)


def _unknown(facts: Facts) -> Iterator[tuple[str, tuple[str, ...]]]:
    """A `fit` of something unknown: one of the estimators that the program makes."""
    made = tuple(
        name
        for _, name in facts.calls(lambda name: _kind(name) not in {None, "preparing", "wrapping"})
    )
    if made:
        yield made[0], made


def _kind(name: str) -> str | None:
    """What fitting `name` gives, by the first list that it stands in."""
    return next((kind for kind, fits in _KINDS if fits(name)), None)


def _family(models: list[tuple[Use, str, str]]) -> tuple[str, tuple[Evidence, ...]]:
    """The kind that most of the trained estimators are of; ties go to the special one."""
    chosen: dict[str, tuple[Use, str, str]] = {}
    for found in models:
        if "dummy" not in found[2]:
            chosen.setdefault(found[2], found)
    counts = Counter(kind for _, kind, _ in chosen.values())
    for kind, share in (("boosting", 0.5), ("clustering", 0.5), ("mlp", 0.51)):
        if counts[kind] and counts[kind] >= share * sum(counts.values()):
            use, _, name = next(found for found in chosen.values() if found[1] == kind)
            return kind, (use.evidence(f"{kind}: {name}"),)
    use, _, name = next(iter(chosen.values()), models[0])
    return "classical", (use.evidence(f"classical: {name}"),)


def _task(facts: Facts, names: list[str], kind: str) -> tuple[Task, tuple[Evidence, ...]]:
    if kind == "clustering":
        return Task.OTHER, ()
    for is_asked, task in (
        (_asks_classes, Task.CLASSIFICATION),
        (_asks_values, Task.REGRESSION),
    ):
        if any(is_asked(name) for name in names):
            return task, ()
    for is_asked, task in (
        (_asks_classes, Task.CLASSIFICATION),
        (_asks_values, Task.REGRESSION),
    ):
        found = facts.first(is_asked)
        if found is not None:
            return task, (found[0].evidence(f"{task}: {found[1]}"),)
    return Task.OTHER, ()
