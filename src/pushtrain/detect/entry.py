"""Which script of a tree is the one to run."""

from __future__ import annotations

import ast
from pathlib import PurePosixPath

from pushtrain.code import Files
from pushtrain.detect.reading import Reading, read
from pushtrain.errors import DetectionError, SourceError

_MOST_EFFORT = 1_000
"""Modules that are read for all candidates together: a large library is not searched to its end."""

_MOST_IDLE_EFFORT = 100
_USUAL = ("train", "main", "run", "training", "train_model", "model_train", "run_training")
_ASIDE = frozenset(
    {"test", "tests", "example", "examples", "demo", "demos", "doc", "docs", "notebooks", "old"}
    | {"archive", "backup", "scripts", "tools", "benchmarks", "experiments", "sandbox", "legacy"}
)
_HINT = 'say which in pushtrain.toml: [train] entry = "{}"'


def choose(files: Files, stated: str | None) -> tuple[Reading, str]:
    """The script to run, read, with the reason for it in one sentence.

    Args:
        files: the tree.
        stated: the setting `train.entry`, which wins over everything.

    Raises:
        SourceError: the stated script cannot be read.
        DetectionError: there is no script, or several could be meant; facts name them.
    """
    if stated is not None:
        return read(files, str(PurePosixPath(stated))), "pushtrain.toml names it"
    scripts = _readable(files, sorted(files.scripts(), key=_distance))
    if len(scripts) == 1:
        return read(files, scripts[0]), "the only script"
    training = _training(files, scripts)
    if len(training) == 1:
        return training[0], "the only script that trains"
    return _clearest(training) if training else _without_training(files, scripts)


def _readable(files: Files, scripts: list[str]) -> list[str]:
    """The scripts that can be read: none of them too large, or not for us to open."""
    readable = []
    for script in scripts:
        try:
            files.read(script)
        except SourceError:
            continue
        readable.append(script)
    if not readable:
        raise DetectionError(
            f"no Python script in {files.root} can be read"
            if scripts
            else f"no Python script in {files.root}",
            hint="push a training script",
            candidates=scripts,
        )
    return readable


def _training(files: Files, scripts: list[str]) -> list[Reading]:
    """The scripts that train when they are run, nearest first, within a bounded effort."""
    training, effort = [], 0
    for script in scripts:
        if effort > _MOST_EFFORT:
            break
        tree = files.read(script).tree
        if tree is None or not any(_acts(statement) for statement in tree.body):
            continue  # a module to be imported: it does nothing by itself
        reading = read(files, script)
        effort += len(reading.program.modules)
        if reading.finding is not None:
            training.append(reading)
    return training


def _acts(statement: ast.stmt) -> bool:
    """Whether a statement calls something when its module is run, definitions aside."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return False
    return any(isinstance(node, ast.Call) for node in ast.walk(statement))


def _clearest(training: list[Reading]) -> tuple[Reading, str]:
    """The one among several that train, if it stands out."""
    steps = (
        ("the only script that trains, notebooks aside", _without_notebooks),
        ("it imports the other code that trains", _without_imported),
        ("the only script that trains in the main directories", _without_aside),
        ("the script that trains nearest to the top", _nearest),
        ("of the scripts that train, the one with the usual name", _usual),
    )
    left = training
    for reason, narrow in steps:
        left = narrow(left) or left
        if len(left) == 1:
            return left[0], reason
    names = [reading.entry for reading in left]
    raise DetectionError(
        f"{len(names)} scripts train: {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}",
        hint=_HINT.format(names[0]),
        candidates=names,
        setting="train.entry",
    )


def _without_notebooks(readings: list[Reading]) -> list[Reading]:
    return [reading for reading in readings if not reading.entry.endswith(".ipynb")]


def _without_imported(readings: list[Reading]) -> list[Reading]:
    """Those whose training no other script runs by importing them."""
    run_by_others = {
        evidence.file
        for reading in readings
        if reading.finding is not None
        for evidence in reading.finding.evidence[:1]
        if evidence.file != reading.entry
    }
    return [reading for reading in readings if reading.entry not in run_by_others]


def _without_aside(readings: list[Reading]) -> list[Reading]:
    return [reading for reading in readings if not _is_aside(reading.entry)]


def _nearest(readings: list[Reading]) -> list[Reading]:
    depth = min(len(PurePosixPath(reading.entry).parts) for reading in readings)
    return [r for r in readings if len(PurePosixPath(r.entry).parts) == depth]


def _usual(readings: list[Reading]) -> list[Reading]:
    return [r for r in readings if PurePosixPath(r.entry).stem.lower() in _USUAL]


def _is_aside(path: str) -> bool:
    entry = PurePosixPath(path)
    name = entry.stem.lower()
    return bool(_ASIDE.intersection(part.lower() for part in entry.parts[:-1])) or (
        name.startswith("test_") or name.endswith("_test") or name in {"conftest", "setup"}
    )


def _without_training(files: Files, scripts: list[str]) -> tuple[Reading, str]:
    """The script that stands for a tree that trains nothing: one that could, else the nearest."""
    reason = "nothing in the tree trains when it is run; this script is the likeliest"
    nearest, effort = read(files, scripts[0]), 0
    for script in scripts:
        reading = read(files, script)
        if reading.idle() is not None:
            return reading, reason
        effort += len(reading.program.modules)
        if effort > _MOST_IDLE_EFFORT:
            break
    return nearest, reason


def _distance(path: str) -> tuple[bool, bool, int, bool, str]:
    entry = PurePosixPath(path)
    is_usual = entry.stem.lower() in _USUAL
    is_notebook = entry.suffix == ".ipynb"
    return is_notebook, _is_aside(path), len(entry.parts), not is_usual, path
