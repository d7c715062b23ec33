"""The catalog of APIs and ranges, held against itself and against the ladder."""

from __future__ import annotations

import tomllib
from importlib.resources import files

import pytest

from pushtrain.code import canonical
from pushtrain.knobs.catalog import catalog
from pushtrain.study.ladder import moves


def parameters() -> list[tuple[str, str]]:
    return [(name, p) for api in catalog().api for name in api.names for p in api.parameters]


def test_every_rule_exists_and_is_used() -> None:
    used = {
        rule
        for api in catalog().api
        for parameter in api.parameters.values()
        for rule in parameter.all_rules
    }
    assert used | {"optimizer_class"} == set(catalog().rules)


@pytest.mark.parametrize("name", sorted({name for name, _ in parameters()}))
def test_names_are_canonical(name: str) -> None:
    if not name.startswith("?") and "*" not in name:
        assert canonical(name) == name


def test_a_numeric_rule_says_how_far() -> None:
    for name, rule in catalog().rules.items():
        if rule.kind in {"integer", "float"}:
            assert (rule.factors is None) != (rule.span is None), name
        if rule.log:
            assert rule.factors is not None, name


def test_no_parameter_is_a_shape_a_loss_or_a_number_of_classes() -> None:
    given = {parameter for _, parameter in parameters()}
    assert not given & {
        "input_shape",
        "input_dim",
        "shape",
        "loss",
        "metrics",
        "num_classes",
        "n_clusters",
        "random_state",
        "seed",
        "test_size",
        "validation_split",
    }


def test_the_ladder_knows_what_matters_most() -> None:
    names = {
        tunable.name
        for name, _ in parameters()
        for tunable in catalog().parameters(name.replace("*", "Some"))
    }
    for move in moves():
        if not move.add:
            assert any(move.parameters.fullmatch(name) for name in names), move.name


@pytest.mark.parametrize("name", sorted({name for name, _ in parameters()}))
def test_what_stands_at_one_place_has_one_name(name: str) -> None:
    names: dict[int, str] = {}
    for tunable in catalog().parameters(name):
        if tunable.facts.at is not None:
            assert names.setdefault(tunable.facts.at, tunable.name) == tunable.name


def test_a_layer_without_hyperparameters_has_none() -> None:
    assert catalog().parameters("keras.layers.Lambda") == ()


def test_the_first_description_of_a_parameter_counts() -> None:
    found = {t.parameter: t for t in catalog().parameters("keras.optimizers.SGD")}
    assert found["learning_rate"].keywords == ("learning_rate", "lr")
    assert found["momentum"].facts.at == 1


def test_harmless_calls() -> None:
    assert catalog().is_harmless("builtins.print", None)
    assert catalog().is_harmless("keras.Sequential.evaluate", "batch_size")
    assert catalog().is_harmless("tensorflow.data.Dataset.shuffle", None)
    assert not catalog().is_harmless("numpy.zeros", None)
    assert not catalog().is_harmless("keras.Sequential.fit", "x")


def test_the_file_is_described() -> None:
    text = files("pushtrain.knobs").joinpath("catalog.toml").read_text("utf-8")
    keys = {
        key for api in tomllib.loads(text)["api"] for p in api["parameters"].values() for key in p
    }
    described = text.partition("# --- rules")[0]
    for key in keys - {"rule"}:
        assert key.rstrip("s") in described, key
