"""The records that flow from a push to its verdict: frozen, and free of behaviour that does I/O.

push -> source -> detection -> image -> study [ trial -> attempt -> result ]* -> verdict
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias

from pushtrain.errors import Abandoned, Unreachable

KnobValue: TypeAlias = bool | int | float | str
KnobValues: TypeAlias = Mapping[str, KnobValue]


# --- source ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Push:
    """A commit that arrived: what is to be trained.

    Attributes:
        repository: Git URL or path as given; for a plain directory its resolved path.
        commit: full commit id, or `sha256:<hex>` of the tree for a plain directory.
        branch: the branch it arrived on, where known.
        is_own_directory: the caller's own working directory (not a bare repository, not a URL),
            whose settings need no operator's permission.
    """

    repository: str
    commit: str
    branch: str | None = None
    is_own_directory: bool = False

    @property
    def short(self) -> str:
        """The commit as people write it (12 characters, without the algorithm)."""
        return self.commit.removeprefix("sha256:")[:12]


@dataclass(frozen=True, slots=True)
class Source:
    """The checked-out tree of a push.

    Attributes:
        push: what was checked out.
        root: directory that holds the tree; never written to after the checkout.
        data_fingerprint: `sha256:<hex>` over the names and contents of data files in the tree
            and of the declared data directories.
        warnings: what was left out of the tree, and why.
    """

    push: Push
    root: Path
    data_fingerprint: str
    warnings: tuple[str, ...] = ()


# --- detection ---------------------------------------------------------------------------------


class Parsed(StrEnum):
    """How the code was read."""

    AST = "ast"
    """As Python 3."""
    TOKENS = "tokens"
    """By its tokens, since it is not valid Python 3."""


class Task(StrEnum):
    """What kind of question the model answers."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"
    OTHER = "other"


NOTHING = "none"
"""The framework and family of code that trains nothing."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """An observation in the code: path relative to the root, 1-based line, what it shows."""

    file: str
    line: int
    what: str


@dataclass(frozen=True, slots=True)
class Detection:
    """What was read from the code, without importing or running it.

    Attributes:
        entry: the script to run, as a POSIX path relative to the tree's root.
        framework: what trains the model ("keras", "sklearn", ...), or "none".
        family: the kind of model ("cnn", "rnn", "classical", ...), or "none".
        backend: "tensorflow", "jax" or "torch" for Keras, else None.
        task: the kind of question, as far as losses, metrics and estimators tell.
        trains: whether the code trains anything at all.
        distributions: PyPI distributions that the code needs (framework and backend included),
            sorted, spelled as on PyPI.
        datasets: dataset loaders that the code calls ("keras.datasets.mnist", ...), sorted.
        evidence: why, in the order of importance.
        parsed: how the entry script was read.
        reason: why this entry script was chosen, in one sentence.
        warnings: what the user should know (unparsable modules, tokens only, ...).
    """

    entry: str
    framework: str
    family: str
    backend: str | None
    task: Task
    trains: bool
    distributions: tuple[str, ...]
    datasets: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    parsed: Parsed
    reason: str
    warnings: tuple[str, ...] = ()


# --- knobs -------------------------------------------------------------------------------------


class KnobKind(StrEnum):
    """What may be put in the place of a literal."""

    INTEGER = "integer"
    FLOAT = "float"
    CATEGORICAL = "categorical"
    BOOLEAN = "boolean"
    BLOCK = "block"
    """Structural: how often a block of hidden layers stands in the model (0 drops it)."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A numeric search range, both ends included; `step` only for integers."""

    low: float
    high: float
    log: bool = False
    step: int = 1


@dataclass(frozen=True, slots=True)
class Choices:
    """A categorical search range."""

    choices: tuple[KnobValue, ...]


@dataclass(frozen=True, slots=True)
class Knob:
    """A hyperparameter literal found in the source.

    Attributes:
        name: unique within the source ("units", "units_2", "learning_rate").
        kind: what kind of value it takes.
        file: POSIX path relative to the tree's root.
        line: 1-based line of the literal.
        column: 0-based column (in characters) of the literal.
        value: the value as pushed.
        range: where to search; always contains `value`.
        api: the call and parameter that it reaches ("keras.layers.Dense.units").
    """

    name: str
    kind: KnobKind
    file: str
    line: int
    column: int
    value: KnobValue
    range: Interval | Choices
    api: str


# --- image -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ImagePlan:
    """The training image that matches a detection: which layers, and why.

    Attributes:
        tag: `pushtrain/<name>:<content hash>`.
        layers: catalog names from the base up ("base", "keras-tensorflow", "cnn", "extra").
        extra: requirement lines of the generated layer, empty where none is needed.
        python: interpreter inside the container, absolute path.
        preload: modules that the worker imports once ("keras", "sklearn").
        reasons: why each layer was picked, one sentence each.
    """

    tag: str
    layers: tuple[str, ...]
    extra: tuple[str, ...]
    python: str
    preload: tuple[str, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Image:
    """An image that exists on the engine: its plan, its id (`sha256:...`) and its size in bytes."""

    plan: ImagePlan
    id: str
    size: int


# --- objective and budget ----------------------------------------------------------------------


class Direction(StrEnum):
    """Which way a metric gets better."""

    MAXIMIZE = "maximize"
    MINIMIZE = "minimize"


@dataclass(frozen=True, slots=True)
class Objective:
    """The target: a metric, the direction in which it improves, and the value to reach."""

    metric: str
    target: float
    direction: Direction = Direction.MAXIMIZE

    def is_met(self, value: float | None) -> bool:
        """Whether `value` reaches the target; NaN and None never do."""
        if value is None or math.isnan(value):
            return False
        if self.direction is Direction.MAXIMIZE:
            return value >= self.target
        return value <= self.target

    def is_better(self, value: float, than: float | None) -> bool:
        """Whether `value` beats `than`; NaN never does, anything else beats None and NaN."""
        if math.isnan(value):
            return False
        if than is None or math.isnan(than):
            return True
        return value > than if self.direction is Direction.MAXIMIZE else value < than

    def __str__(self) -> str:
        sign = ">=" if self.direction is Direction.MAXIMIZE else "<="
        return f"{self.metric} {sign} {self.target:g}"


@dataclass(frozen=True, slots=True)
class Budget:
    """What a run may spend: trials, wall-clock seconds, and seconds for one trial."""

    trials: int
    seconds: float
    trial_seconds: float


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the caller of one run asked for, over what the settings say (None: nothing said).

    Attributes:
        metric, target, direction: the objective's parts.
        trials, seconds, trial_seconds: the budget's parts.
        confirm: how many other seeds the winner is retrained with.
        network: the caller grants the network to this run's containers.
        parallel: how many trials may be under way at once.
        seed: the seed of every trial.
        commit: whether the winning patch is committed to a branch of the repository.
        lane: in which a newer run of the repository supersedes this one; its branch where None.
    """

    metric: str | None = None
    target: float | None = None
    direction: Direction | None = None
    trials: int | None = None
    seconds: float | None = None
    trial_seconds: float | None = None
    confirm: int | None = None
    network: bool = False
    parallel: int = 1
    seed: int = 0
    commit: bool = False
    lane: str | None = None


# --- trials ------------------------------------------------------------------------------------


class Role(StrEnum):
    """What data a value was measured on, and so what it proves; best evidence first."""

    REPORTED = "reported"
    """The script reported it itself, by `pushtrain.report` or a metrics file."""
    HELD_OUT = "held-out"
    """The script evaluated on data that no `fit` saw."""
    CROSS_VALIDATION = "cross-validation"
    """The mean over held-out folds."""
    VALIDATION = "validation"
    """The best epoch on validation data given to `fit`."""
    PRINTED = "printed"
    """Read from what the script printed."""
    TRAINING = "training"
    """Measured on the data it was trained on: never evidence for a target."""

    @property
    def is_evidence(self) -> bool:
        """Whether a target may be called met by such a value."""
        return self is not Role.TRAINING


@dataclass(frozen=True, slots=True)
class Measurement:
    """One value of one metric, with the data it was measured on and the place that did it."""

    metric: str
    value: float
    role: Role
    source: str
    """For people: "model.evaluate at train.py:41", "val_accuracy, best of 12 epochs"."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """The metrics of one finished epoch (1-based), and its seconds."""

    number: int
    metrics: Mapping[str, float]
    seconds: float


@dataclass(frozen=True, slots=True)
class Confusion:
    """Counts of (true, predicted): `matrix[i][j]` is true `labels[i]`, said to be `labels[j]`."""

    labels: tuple[str, ...]
    matrix: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that a trial left: path relative to the trial's folder, bytes, `sha256:<hex>`."""

    path: str
    size: int
    sha256: str


class Cause(StrEnum):
    """Why a trial gave no value, from facts and never from guesses."""

    USER_ERROR = "user error"
    """The script raised, or left with a code other than 0."""
    DOWNLOAD = "download refused"
    """The script needs the network, which it does not have."""
    OUT_OF_MEMORY = "out of memory"
    SHARED_MEMORY = "shared memory limit"
    """What of the file system lies in memory was full: shared memory or temporary files."""
    DISK_LIMIT = "disk limit"
    """The script wrote more than it may."""
    DISK_FULL = "disk full"
    """The engine's host has no room left."""
    TOO_MANY_PROCESSES = "process limit"
    TIME_LIMIT = "time limit"
    CRASH = "crash"
    """Ended by a signal of its own making (SIGSEGV, SIGABRT, ...)."""
    KILLED = "killed"
    """The training process or its container was ended from outside."""
    STALLED = "stalled"
    """The container ran on, and nothing was heard of it any more."""
    ENGINE_GONE = "engine gone"
    """The engine did not answer."""
    DRIVER_GONE = "driver gone"
    """The process that drove the run died, or was taken for dead."""
    MACHINE_GONE = "machine gone"
    """The machine of the process that drove the run was restarted, or is another one now."""
    IMAGE_MISSING = "image missing"
    """The image was removed from the engine meanwhile."""
    MISSING_MODULE = "missing module"
    """The script imports what the image does not hold."""
    NO_VALUE = "no value"
    """It ran, but the objective's metric was never measured."""
    NOT_A_NUMBER = "not a number"
    """It ran, and the metric is NaN or infinite."""
    BAD_OUTPUT = "bad output"
    """What came out of the container breaks the protocol."""
    REJECTED = "rejected"
    """The values cannot be used: the script refused them (trial other than 0)."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a trial failed: cause, one sentence, and the line of the user's script where known.

    `subject` is what a remedy works on: the module that is missing.
    """

    cause: Cause
    message: str
    file: str | None = None
    line: int | None = None
    hint: str = ""
    subject: str = ""


class TrialState(StrEnum):
    """Where a trial stands."""

    RUNNING = "running"
    COMPLETE = "complete"
    """It ran to its end and the objective's metric was measured."""
    PRUNED = "pruned"
    """Stopped early, since it fell behind."""
    FAILED = "failed"
    """It gave no value; see its failure."""
    STOPPED = "stopped"
    """Stopped from outside: target met elsewhere, budget spent, or by hand."""

    @property
    def is_finished(self) -> bool:
        """Whether nothing more will happen to the trial."""
        return self is not TrialState.RUNNING


@dataclass(frozen=True, slots=True)
class TrialSpec:
    """One attempt at a trial: its number, knob values, seed, and the files that the values change.

    Trial 0 is the code exactly as pushed, with no changed file, until a remedy changes a value.
    With `resumes` the attempt goes on from the checkpoints of the one before, where there are any.
    """

    number: int
    values: KnobValues
    seed: int
    changed: Mapping[str, bytes] = field(default_factory=dict)
    """POSIX path relative to the tree's root -> whole new content."""
    attempt: int = 1
    resumes: bool = False


@dataclass(frozen=True, slots=True)
class TrialResult:
    """What came of one trial."""

    number: int
    state: TrialState
    values: KnobValues
    seed: int
    measurement: Measurement | None
    """The one that counts for the objective, chosen from `measurements`."""
    measurements: tuple[Measurement, ...]
    epochs: tuple[Epoch, ...]
    failure: Failure | None
    seconds: float
    attempts: int = 1
    confusion: Confusion | None = None
    artifacts: tuple[Artifact, ...] = ()
    parameters: Mapping[str, object] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def value(self) -> float | None:
        """The objective's value, where one was measured."""
        return self.measurement.value if self.measurement else None


# --- runs --------------------------------------------------------------------------------------


class RunState(StrEnum):
    """Where a run stands."""

    STARTED = "started"
    """Created; the source is being read."""
    BUILDING = "building"
    """The image is being picked or built."""
    TRAINING = "training"
    """Trials are under way."""
    MET = "met"
    """The objective is met."""
    SPENT = "spent"
    """The budget is spent, the objective is not met."""
    FAILED = "failed"
    """It could not be trained at all."""
    STOPPED = "stopped"
    """Stopped by hand."""
    SUPERSEDED = "superseded"
    """A newer push of the same branch took its place."""

    @property
    def is_finished(self) -> bool:
        """Whether the run has its verdict."""
        return self not in (RunState.STARTED, RunState.BUILDING, RunState.TRAINING)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a run ended.

    Attributes:
        run: the run's id.
        state: a finished state.
        objective: what was asked for, where it was known.
        best: number of the best trial, where any gave a value.
        value: its value.
        source: where that value came from (`Measurement.source`, with its role).
        trials: how many trials were started.
        image: the image's tag.
        seconds: wall-clock seconds of the run.
        reason: one sentence for people; for a failure what, where and the next step.
        exit_code: what a command that waited for this run ends with (see `errors`).
        confirmed: values of the winner under other seeds (`confirm = K`).
        error: the facts of the error that ended the run, where one did.
    """

    run: str
    state: RunState
    objective: Objective | None
    best: int | None
    value: float | None
    source: str | None
    trials: int
    image: str | None
    seconds: float
    reason: str
    exit_code: int
    confirmed: tuple[float, ...] = ()
    error: Mapping[str, object] = field(default_factory=dict)

    @property
    def goes_on(self) -> bool:
        """Whether `pushtrain resume` can go on with the run, whose checkpoints are kept for that:
        it was stopped, its engine was gone, or its drivers died."""
        is_stopped = self.state in (RunState.STOPPED, RunState.SUPERSEDED)
        error = self.error.get("error")
        return is_stopped or self.exit_code == Unreachable.exit_code or error == Abandoned.__name__

    @property
    def is_met(self) -> bool:
        """Whether the objective was met."""
        return self.state is RunState.MET
