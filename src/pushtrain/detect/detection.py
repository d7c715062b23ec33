"""From a path to a detection: which script runs, what trains in it, and what it needs."""

from __future__ import annotations

from pathlib import Path

from pushtrain.code import Files
from pushtrain.detect import data
from pushtrain.detect.distributions import needs
from pushtrain.detect.entry import choose
from pushtrain.detect.reading import Reading, read
from pushtrain.entities import NOTHING, Detection, Evidence, Parsed, Task
from pushtrain.errors import SourceError
from pushtrain.settings import TrainSettings


def detect(path: Path, settings: TrainSettings | None = None) -> Detection:
    """Reads what the script, or the repository's entry script, at `path` trains.

    Args:
        path: a script or a directory; nothing in it is imported or run.
        settings: the repository's `[train]`; what it states wins over what is read.

    Raises:
        SourceError: the path cannot be read, or the stated entry does not exist.
        DetectionError: there is no script, or several that could be meant.
    """
    settings = settings or TrainSettings()
    if path.is_file():
        script = path.resolve()
        reading, reason = read(Files(script.parent), script.name), "the script that was given"
    elif path.is_dir():
        reading, reason = choose(Files(path), settings.entry)
    else:
        raise SourceError(
            f"{path} does not exist", hint="give a script or a directory", path=str(path)
        )
    return _detection(reading, reason, settings)


def _detection(reading: Reading, reason: str, settings: TrainSettings) -> Detection:
    finding = reading.finding
    needed = needs(reading.facts)
    framework = settings.framework or (finding.framework if finding else NOTHING)
    trains = framework != NOTHING
    backend = finding.backend if finding else None
    if framework == "keras":
        backend = settings.backend or settings.env.get("KERAS_BACKEND") or backend or "tensorflow"
    of_framework = finding.needs if finding and finding.framework == framework else ()
    if backend is not None and finding is not None:
        of_framework = tuple(backend if d == finding.backend else d for d in of_framework)
    datasets = _datasets(reading)
    return Detection(
        entry=reading.entry,
        framework=framework,
        family=settings.family or (finding.family if finding else "other" if trains else NOTHING),
        backend=backend if framework == "keras" else None,
        task=finding.task if finding else Task.OTHER,
        trains=trains,
        distributions=tuple(sorted({*needed.distributions, *of_framework})),
        datasets=tuple(sorted(datasets)),
        evidence=(
            *(finding.evidence if finding else ()),
            *datasets.values(),
            *needed.distributions.values(),
        ),
        parsed=reading.program.entry.file.parsed,
        reason=reason,
        warnings=(*_doubts(reading), *(finding.warnings if finding else ()), *needed.warnings),
    )


def _datasets(reading: Reading) -> dict[str, Evidence]:
    """The loaders of known data sets that the program calls, with their places."""
    loads = data.matcher(data.load("distributions.toml")["datasets"]["loaders"])
    return {
        name.removesuffix(".load_data"): use.evidence(f"data: {name}")
        for use, name in reversed(list(reading.facts.calls(loads)))
    }


def _doubts(reading: Reading) -> list[str]:
    """What could not be read, and training code that nothing calls."""
    doubts = []
    for module in reading.program.modules:
        file = module.file
        if module.scope is None and file.text.strip():
            doubts.append(f"{file.path} could not be read: {file.error or 'nested too deeply'}")
        elif file.parsed is Parsed.TOKENS:
            doubts.append(f"{file.path} is not valid Python 3, read by its tokens: {file.error}")
    if reading.entry.endswith(".ipynb"):
        doubts.append(f"{reading.entry} is a notebook: export it as a script to train it")
    idle = reading.idle()
    if idle is not None:
        first = idle.evidence[0]
        doubts.append(f"nothing calls the code that {first.what} ({first.file}:{first.line})")
    return doubts
