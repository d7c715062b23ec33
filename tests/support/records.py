"""Example runs, as a journal would tell them: small, complete, and easy to bend.

`run()` is a digits classifier that met its target in trial 2; every argument bends one thing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from pushtrain.entities import (
    Artifact,
    Budget,
    Cause,
    Choices,
    Confusion,
    Detection,
    Direction,
    Epoch,
    Evidence,
    Failure,
    Image,
    ImagePlan,
    Interval,
    Knob,
    KnobKind,
    Measurement,
    Objective,
    Parsed,
    Push,
    Role,
    RunState,
    Task,
    TrialResult,
    TrialState,
    Verdict,
    Wishes,
)
from pushtrain.events import (
    Entry,
    Event,
    ImageReady,
    Judged,
    KnobsFound,
    Planned,
    RunStarted,
    StateChanged,
    TrialEnded,
    TrialStarted,
    Warned,
)
from pushtrain.record import RunRecord, fold

RUN = "7f3c12ab"
STARTED = 1_760_000_000.0
ACCURACY = Objective("accuracy", 0.97)
RMSE = Objective("rmse", 0.5, Direction.MINIMIZE)

PUSH = Push("https://git.example.org/team/digits-cnn.git", "1a2b3c4d5e6f" + "0" * 28, "main")

KNOBS = (
    Knob("filters", KnobKind.INTEGER, "train.py", 24, 22, 8, Interval(4, 128, log=True),
         "keras.layers.Conv2D.filters"),
    Knob("activation", KnobKind.CATEGORICAL, "train.py", 24, 60, "relu",
         Choices(("relu", "elu", "gelu", "tanh")), "keras.layers.Conv2D.activation"),
    Knob("rate", KnobKind.FLOAT, "train.py", 28, 23, 0.25, Interval(0.0, 0.7),
         "keras.layers.Dropout.rate"),
    Knob("EPOCHS", KnobKind.INTEGER, "train.py", 8, 9, 6, Interval(1, 60, log=True),
         "keras.Model.fit.epochs"),
    Knob("LEARNING_RATE", KnobKind.FLOAT, "train.py", 10, 16, 0.0008,
         Interval(1e-5, 0.1, log=True), "keras.optimizers.Adam.learning_rate"),
)  # fmt: skip

IMPORTANCES = {
    "LEARNING_RATE": 0.55,
    "EPOCHS": 0.25,
    "filters": 0.15,
    "rate": 0.04,
    "activation": 0.01,
}

PATCH = b"\n".join(
    [
        b"diff --git a/train.py b/train.py",
        b"--- a/train.py",
        b"+++ b/train.py",
        b"@@ -5,9 +5,9 @@",
        b" from sklearn.datasets import load_digits",
        b" from sklearn.model_selection import train_test_split",
        b" ",
        b"-EPOCHS = 6",
        b"+EPOCHS = 24",
        b" BATCH_SIZE = 64",
        b"-LEARNING_RATE = 0.0008",
        b"+LEARNING_RATE = 0.0042",
        b" ",
        b" digits = load_digits()",
        b' images = digits.images[..., None].astype("float32") / 16.0',
        b"",
    ]
)

PLAN = ImagePlan(
    tag="pushtrain/keras-cnn:2f81c0ffee12",
    layers=("base", "keras-tensorflow", "cnn"),
    extra=(),
    python="/opt/venv/bin/python",
    preload=("keras",),
    reasons=("keras is trained with tensorflow", "convolutions need the cnn layer"),
)

DETECTION = Detection(
    entry="train.py",
    framework="keras",
    family="cnn",
    backend="tensorflow",
    task=Task.CLASSIFICATION,
    trains=True,
    distributions=("keras", "numpy", "scikit-learn", "tensorflow"),
    datasets=("sklearn.datasets.load_digits",),
    evidence=(Evidence("train.py", 36, "keras.Sequential is trained with fit"),),
    parsed=Parsed.AST,
    reason="train.py is the only script that trains",
)


def epochs(last: float, count: int = 12, first: float = 0.35) -> tuple[Epoch, ...]:
    """Learning curves that end near `last`."""
    made = []
    for number in range(1, count + 1):
        reached = last - (last - first) * 0.72**number
        made.append(
            Epoch(
                number,
                {
                    "accuracy": min(reached + 0.012, 1.0),
                    "loss": 2.3 * 0.8**number,
                    "val_accuracy": reached,
                    "val_loss": 2.3 * 0.82**number + 0.05,
                },
                0.4,
            )
        )
    return tuple(made)


def confusion(classes: int = 10, wrong: int = 1) -> Confusion:
    """A matrix with most of its counts on the diagonal."""
    labels = tuple(str(label) for label in range(classes))
    rows = tuple(
        tuple(44 if i == j else wrong if (i * 7 + j) % 9 == 0 else 0 for j in range(classes))
        for i in range(classes)
    )
    return Confusion(labels, rows)


def trial(
    number: int,
    value: float | None = 0.9,
    *,
    state: TrialState = TrialState.COMPLETE,
    values: dict[str, bool | int | float | str] | None = None,
    metric: str = "accuracy",
    role: Role = Role.HELD_OUT,
    failure: Failure | None = None,
    **changes: object,
) -> TrialResult:
    """A finished trial; `value=None` measured nothing."""
    measurement = None if value is None else Measurement(
        metric, value, role, "model.evaluate at train.py:52"
    )  # fmt: skip
    result = TrialResult(
        number=number,
        state=state,
        values=values or ({} if number == 0 else {"EPOCHS": 24, "LEARNING_RATE": 0.0042}),
        seed=0,
        measurement=measurement,
        measurements=(measurement,) if measurement else (),
        epochs=epochs(value) if value is not None and metric == "accuracy" and value < 1 else (),
        failure=failure,
        seconds=3.2 + number / 10,
        confusion=confusion() if measurement and metric == "accuracy" else None,
        artifacts=(Artifact("model/model.keras", 123_456, "sha256:" + "ab" * 32),),
        versions={"keras": "3.15.1", "numpy": "2.4.6", "tensorflow": "2.21.0"},
    )
    return replace(result, **changes)  # type: ignore[arg-type]


def failed(number: int, **facts: object) -> TrialResult:
    """A trial that its own script ended."""
    given = {
        "cause": Cause.USER_ERROR,
        "message": "ValueError: Negative dimension size caused by subtracting 3 from 2",
        "file": "train.py",
        "line": 24,
        "hint": "make the input larger than the kernel",
        **facts,
    }
    return trial(number, None, state=TrialState.FAILED, failure=Failure(**given))  # type: ignore[arg-type]


MET_TRIALS = (trial(0, 0.7511), trial(1, 0.9378), trial(2, 0.9822))


def verdict(record: RunRecord, state: RunState, **changes: object) -> Verdict:
    """The verdict that fits a record."""
    best = record.best
    measurement = best.measurement if best else None
    made = Verdict(
        run=record.id,
        state=state,
        objective=record.objective,
        best=best.number if best else None,
        value=measurement.value if measurement else None,
        source=f"{measurement.source} ({measurement.role})" if measurement else None,
        trials=len(record.origins),
        image=PLAN.tag,
        seconds=41.7,
        reason="accuracy 0.9822 (accuracy >= 0.97), trial 2",
        exit_code={RunState.MET: 0, RunState.SPENT: 3, RunState.FAILED: 1}.get(state, 130),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def events(
    trials: Iterable[TrialResult] = MET_TRIALS,
    *,
    state: RunState = RunState.MET,
    objective: Objective = ACCURACY,
    knobs: tuple[Knob, ...] = KNOBS,
    push: Push = PUSH,
    warnings: tuple[str, ...] = (),
    **of_verdict: object,
) -> tuple[Event, ...]:
    """The events of a run, in their order; a `state` that is not finished has no verdict."""
    told: list[Event] = [
        RunStarted(push, "sha256:" + "cd" * 32, "0.1.0", Wishes()),
        Planned(DETECTION, objective, Budget(30, 600.0, 300.0), PLAN),
        KnobsFound(knobs),
        ImageReady(Image(PLAN, "sha256:" + "ef" * 32, 1_900_000_000), built=False, seconds=0.2),
        StateChanged(RunState.TRAINING),
        *(Warned(message) for message in warnings),
    ]
    for result in trials:
        origin = "search" if result.number else "as pushed"
        told.append(TrialStarted(result.number, dict(result.values), result.seed, origin))
        told.append(TrialEnded(result))
    if state.is_finished:
        told.append(Judged(verdict(_folded(told), state, **of_verdict)))
    return tuple(told)


def run(trials: Iterable[TrialResult] = MET_TRIALS, **changes: object) -> RunRecord:
    """The record that `events` (same arguments) fold into."""
    return _folded(events(trials, **changes))  # type: ignore[arg-type]


def _folded(told: Iterable[Event]) -> RunRecord:
    return fold(RUN, (Entry(seq, STARTED + seq, event) for seq, event in enumerate(told, 1)))
