"""The moves that come before the search."""

from __future__ import annotations

from pushtrain.entities import Choices, Interval, Knob, KnobKind, KnobValue, KnobValues
from pushtrain.study.ladder import climb, moves
from pushtrain.study.space import Space, key_of


def knob(name: str, kind: KnobKind, value: KnobValue, span: Interval | Choices, api: str) -> Knob:
    return Knob(name, kind, "train.py", 1, 0, value, span, api)


EPOCHS = knob("EPOCHS", KnobKind.INTEGER, 6, Interval(6, 48, log=True), "keras.Model.fit.epochs")
RATE = knob(
    "learning_rate",
    KnobKind.FLOAT,
    0.000812345,
    Interval(1e-5, 0.1, log=True),
    "keras.optimizers.Adam.learning_rate",
)
UNITS = knob("units_2", KnobKind.INTEGER, 10, Interval(4, 64, log=True), "keras.layers.Dense.units")
OPTIMIZER = knob(
    "optimizer",
    KnobKind.CATEGORICAL,
    "SGD",
    Choices(("SGD", "Adam")),
    "keras.Model.compile.optimizer",
)
BLOCKS = knob("dense_block", KnobKind.BLOCK, 1, Interval(0, 2), "keras.Sequential")
SPACE = Space((EPOCHS, RATE, UNITS, OPTIMIZER, BLOCKS))


def unknown(before: KnobValues, after: KnobValues) -> bool | None:
    return None


def rungs(better: dict[str, bool], most: int = 20) -> list[dict[str, KnobValue]]:
    """Climbs, where a change of a knob helps or not; gives what each rung changed."""
    base, tried = dict(SPACE.pushed), [dict(SPACE.pushed)]
    changes = []

    def has_helped(before: KnobValues, after: KnobValues) -> bool:
        return all(better[name] for name in after if after[name] != before[name])

    while len(tried) < most and (rung := climb(SPACE, base, tried, has_helped)) is not None:
        changes.append({name: v for name, v in rung.items() if v != base[name]})
        tried.append(rung)
        if has_helped(base, rung):
            base = rung
    return changes


def test_each_move_changes_its_knobs_and_leaves_the_others_as_pushed() -> None:
    changed = {move.name: move(SPACE.pushed, SPACE) for move in moves()}
    assert changed["train longer"] == {**SPACE.pushed, "EPOCHS": 16}
    assert changed["larger steps"] == {**SPACE.pushed, "learning_rate": 0.00244}
    assert changed["more capacity"] == {**SPACE.pushed, "units_2": 24}
    assert changed["a robust choice"] == {**SPACE.pushed, "optimizer": "Adam"}
    assert changed["another block"] == {**SPACE.pushed, "dense_block": 2}
    assert changed["fewer neighbours"] == SPACE.pushed


def test_a_move_never_leaves_the_range() -> None:
    values: KnobValues = {**SPACE.pushed, "EPOCHS": 48, "learning_rate": 0.1, "units_2": 64}
    for move in moves():
        assert SPACE.fits(move(values, SPACE))


def test_what_helped_is_built_upon_and_what_did_not_is_dropped() -> None:
    helps = {
        "EPOCHS": True,
        "learning_rate": False,
        "units_2": True,
        "optimizer": False,
        "dense_block": False,
    }
    changes = rungs(helps)
    assert changes[0] == {"EPOCHS": 16}
    assert [change for change in changes if "learning_rate" in change] == [
        {"learning_rate": 0.00244},
        {"learning_rate": 0.000244},
    ]
    assert changes[-1] in ({"EPOCHS": 48}, {"units_2": 64})


def test_the_ladder_ends_when_nothing_helps() -> None:
    names = [each.name for each in SPACE.knobs]
    assert len(rungs(dict.fromkeys(names, False))) == 6


def test_moves_under_way_are_not_repeated() -> None:
    tried: list[KnobValues] = [SPACE.pushed]
    while (rung := climb(SPACE, SPACE.pushed, tried, unknown)) is not None:
        tried.append(rung)
    assert len({key_of(values) for values in tried}) == len(tried) == 7
