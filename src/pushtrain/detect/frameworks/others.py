"""Frameworks that are told apart but cannot be trained yet: named honestly, by data alone."""

from __future__ import annotations

from typing import Any

from pushtrain.detect import data
from pushtrain.detect.facts import Facts, Finding, Use
from pushtrain.entities import Task

_AROUND_ONE = (
    "sklearn.pipeline.",
    "sklearn.model_selection.",
    "sklearn.multiclass.",
    "sklearn.multioutput.",
    "sklearn.calibration.",
    "sklearn.compose.",
    "sklearn.ensemble.Bagging",
)
"""Wrappers of scikit-learn around one estimator: what is inside is what trains."""


def find(facts: Facts) -> Finding | None:
    """What a framework of `others.toml` trains in the program; None when none of them does."""
    found = [
        (framework, training)
        for framework in data.load("frameworks/others.toml")["framework"]
        if (training := _training(facts, framework)) is not None
    ]
    if not found:
        return None
    framework, (use, name) = min(found, key=lambda pair: pair[0]["rank"])
    title = framework["name"]
    return Finding(
        framework=title,
        family=framework.get("family", "other"),
        task=Task.OTHER,
        evidence=(use.evidence(f"trains: {name}"),),
        rank=framework["rank"],
        needs=(framework["distribution"],),
        warnings=(f"{title} is recognised but cannot be trained yet",),
    )


def _training(facts: Facts, framework: dict[str, Any]) -> tuple[Use, str] | None:
    """The first call that trains with the framework, and what it calls."""
    packages = {text.partition(".")[0] for text in framework["calls"]}
    if not facts.packages & packages.union(framework.get("packages", ())):
        return None
    trains = data.matcher(framework["calls"])
    unknown = framework.get("unknown", ())
    for use in facts.uses:
        for name in use.names:
            if trains(name):
                return use, name
            if name.startswith(_AROUND_ONE):
                inside = use.call.receiver if use.call.method == "fit" else None
                given = inside or use.call.argument("estimator", 0)
                if use.call.method == "fit" or use.call.method.startswith("cross_val"):
                    for inner in facts.made(given):
                        if trains(f"{inner}.fit"):
                            return use, f"{name} of {inner}"
        if not use.names and use.call.method in unknown:
            return use, use.call.method
    return None
