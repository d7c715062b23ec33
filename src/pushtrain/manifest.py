"""manifest.json: what a run's best model came from, enough to train it again and compare.

Written once a run has a best trial, a function of the run's journal and of the files that the
trial changed: the same run gives the same bytes. Addresses are without credentials.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from pushtrain.addresses import without_credentials
from pushtrain.entities import (
    Artifact,
    Direction,
    KnobKind,
    KnobValue,
    Measurement,
    Objective,
    Role,
    RunState,
    TrialResult,
)
from pushtrain.errors import UsageError
from pushtrain.record import RunRecord
from pushtrain.settings import MIB, RepositorySettings, load_repository
from pushtrain.telling.summary import winner
from pushtrain.whole_file import write_whole

NAME = "manifest.json"
SCHEMA = 1
"""Raised with every change that an older reader would misread."""
_MOST = 16 * MIB

_Sha256 = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourcePart(_Part):
    """The push: `commit` is `sha256:<hex>` for a plain directory."""

    repository: str
    commit: str
    branch: str | None
    is_own_directory: bool


class DataPart(_Part):
    """What was trained on: fingerprints of the data in the tree, and of declared directories."""

    fingerprint: str
    directories: dict[str, str]


class ImagePart(_Part):
    """The image, by its id, and what it was made from."""

    id: str
    tag: str
    layers: tuple[str, ...]
    extra: tuple[str, ...]
    python: str
    preload: tuple[str, ...]
    """Modules that the worker imports before the script runs."""


class TrainingPart(_Part):
    """How the script was started."""

    entry: str
    args: tuple[str, ...]
    workdir: str
    environment: dict[str, str]
    framework: str
    family: str
    backend: str | None


class KnobPart(_Part):
    """One knob: where it stands, its value as pushed, and the value that won."""

    kind: KnobKind
    file: str
    line: int
    api: str
    pushed: KnobValue
    value: KnobValue


class ObjectivePart(_Part):
    """The target."""

    metric: str
    target: FiniteFloat
    direction: Direction


class MetricPart(_Part):
    """One value that the trial measured; `value` is exact."""

    metric: str
    value: FiniteFloat
    role: Role
    source: str


class TrialPart(_Part):
    """The trial that made the model, and the seed that it needs."""

    number: int
    seed: int
    seconds: float
    epochs: int
    metric: MetricPart | None
    """The one that counts for the objective."""
    metrics: tuple[MetricPart, ...]
    confirmed: tuple[FiniteFloat, ...]
    """Values under other seeds."""


class ArtifactPart(_Part):
    """A file that the trial left."""

    path: str
    size: int
    sha256: _Sha256


class Manifest(_Part):
    """A whole manifest; see docs/06-notifications.md for its members."""

    schema_version: Literal[1]
    pushtrain: str
    run: str
    state: RunState
    started: str
    source: SourcePart
    data: DataPart
    image: ImagePart
    training: TrainingPart
    objective: ObjectivePart
    knobs: dict[str, KnobPart]
    changed: dict[str, _Sha256]
    """Path in the tree -> hash of the whole file that the winning values make."""
    trial: TrialPart
    versions: dict[str, str]
    artifacts: tuple[ArtifactPart, ...]

    @property
    def values(self) -> dict[str, KnobValue]:
        """The winning value of every knob that differs from the code as pushed."""
        return {name: knob.value for name, knob in self.knobs.items() if knob.value != knob.pushed}

    def as_objective(self) -> Objective:
        """The objective as the rest of pushtrain knows it."""
        return Objective(self.objective.metric, self.objective.target, self.objective.direction)


def write_manifest(record: RunRecord, folder: Path, changed: Mapping[str, bytes]) -> Path:
    """Writes `folder/manifest.json` whole or not at all; gives its path.

    Args:
        record: the run, with a best trial.
        folder: the run's folder; its source/ holds the pushed tree.
        changed: the files that the best trial's values change, whole.

    Raises:
        ValueError: the run has no best trial, or its journal lacks what comes before one.
        SettingsError: the tree's pushtrain.toml cannot be read.
    """
    manifest = _manifest(record, load_repository(folder / "source"), changed)
    raw = json.dumps(manifest.model_dump(mode="json"), ensure_ascii=False, indent=2, sort_keys=True)
    path = folder / NAME
    write_whole(path, raw.encode() + b"\n")
    return path


def read_manifest(path: Path) -> Manifest:
    """A manifest that was written here or came from elsewhere; nothing in it is trusted yet.

    Raises:
        UsageError: there is none, or it is not one, with each member that is wrong.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST + 1)
    except FileNotFoundError:
        raise UsageError(
            f"{path} does not exist", hint="a run has a manifest once a trial gave a value"
        ) from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint="check it") from None
    if len(raw) > _MOST:
        raise UsageError(f"{path} is larger than 16 MiB", hint="is it a manifest?")
    version = _version(raw)
    if version is not None and version != SCHEMA:
        raise UsageError(
            f"{path} has schema version {version}, this pushtrain reads {SCHEMA}",
            hint="use the version of pushtrain that its member `pushtrain` names",
        )
    try:
        return Manifest.model_validate_json(raw)
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in problem['loc']) or 'the file'}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False)[:5]
        ]
        raise UsageError(
            f"{path} is no manifest: {'; '.join(problems)}",
            hint="take the file as `pushtrain run` wrote it",
            problems=problems,
        ) from None


def _version(raw: bytes) -> int | None:
    try:
        version: Any = json.loads(raw)["schema_version"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return version if isinstance(version, int) else None


def _manifest(
    record: RunRecord, settings: RepositorySettings, changed: Mapping[str, bytes]
) -> Manifest:
    best, push, image = winner(record), record.push, record.image
    detection, objective = record.detection, record.objective
    if not (best and push and image and detection and objective):
        raise ValueError(f"run {record.id} has no best trial: there is nothing to reproduce")
    plan = image.plan
    return Manifest(
        schema_version=1,
        pushtrain=record.version,
        run=record.id,
        state=record.state,
        started=datetime.fromtimestamp(record.started, UTC).isoformat(timespec="seconds"),
        source=SourcePart(
            repository=without_credentials(push.repository),
            commit=push.commit,
            branch=push.branch,
            is_own_directory=push.is_own_directory,
        ),
        data=DataPart(
            fingerprint=record.data_fingerprint, directories=dict(record.data_directories)
        ),
        image=ImagePart(
            id=image.id,
            tag=plan.tag,
            layers=plan.layers,
            extra=plan.extra,
            python=plan.python,
            preload=plan.preload,
        ),
        training=TrainingPart(
            entry=detection.entry,
            args=settings.train.args,
            workdir=settings.train.workdir,
            environment=dict(settings.train.env),
            framework=detection.framework,
            family=detection.family,
            backend=detection.backend,
        ),
        objective=ObjectivePart(
            metric=objective.metric, target=objective.target, direction=objective.direction
        ),
        knobs=_knobs(record, best),
        changed={path: sha256(content) for path, content in changed.items()},
        trial=_trial(record, best),
        versions=dict(best.versions),
        artifacts=tuple(_artifact(a) for a in sorted(best.artifacts, key=lambda a: a.path)),
    )


def _knobs(record: RunRecord, best: TrialResult) -> dict[str, KnobPart]:
    return {
        knob.name: KnobPart(
            kind=knob.kind,
            file=knob.file,
            line=knob.line,
            api=knob.api,
            pushed=knob.value,
            value=best.values.get(knob.name, knob.value),
        )
        for knob in record.knobs
    }


def _trial(record: RunRecord, best: TrialResult) -> TrialPart:
    return TrialPart(
        number=best.number,
        seed=best.seed,
        seconds=best.seconds,
        epochs=len(best.epochs),
        metric=_metric(best.measurement) if best.measurement else None,
        metrics=tuple(_metric(m) for m in best.measurements if math.isfinite(m.value)),
        confirmed=record.verdict.confirmed if record.verdict else (),
    )


def _metric(measurement: Measurement) -> MetricPart:
    return MetricPart(
        metric=measurement.metric,
        value=measurement.value,
        role=measurement.role,
        source=measurement.source,
    )


def _artifact(artifact: Artifact) -> ArtifactPart:
    return ArtifactPart(path=artifact.path, size=artifact.size, sha256=artifact.sha256)


def sha256(content: bytes) -> str:
    """`sha256:<hex>` of a whole file, as manifests have it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
