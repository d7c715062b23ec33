"""Detections, machines and catalogs for tests about images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pushtrain.entities import Detection, Parsed, Task
from pushtrain.images import Catalog, Machine

MACHINE = Machine(python="3.11", suite="bookworm")

_DETECTION = Detection(
    entry="train.py",
    framework="keras",
    family="cnn",
    backend="tensorflow",
    task=Task.CLASSIFICATION,
    trains=True,
    distributions=(),
    datasets=(),
    evidence=(),
    parsed=Parsed.AST,
    reason="the only script",
)

_TINY = """
[layers.base]
about = "a base"
[layers.middle]
on = "base"
about = "a middle"
[layers.top]
on = "middle"
framework = "keras"
backend = "tensorflow"
about = "a top"
[pythons]
bookworm = "3.11"
[requirements]
gpu = []
gpu_dependencies = []
gpu_extras = []
cpu_wheels = []
left_out = []
instead = {}
meant = {}
oldest = {}
"""


def detection(**changes: object) -> Detection:
    """A detection of a small CNN, with what a test is about."""
    return replace(_DETECTION, **changes)


def tiny_catalog(folder: Path, top: Sequence[str] = ("RUN echo top",)) -> Catalog:
    """A catalog of three layers that print their names; `top` is what the last one does."""
    (folder / "catalog.toml").write_text(_TINY)
    for name in ("base", "middle", "top", "extra"):
        (folder / name).mkdir()
        does = top if name == "top" else (f"RUN echo {name}",)
        lines = ["ARG PARENT", "FROM ${PARENT}", "COPY requirements.txt /", *does]
        (folder / name / "Dockerfile").write_text("\n".join(lines) + "\n")
        for file in ("requirements.in", "requirements.txt"):
            (folder / name / file).write_text("# nothing\n")
    return Catalog.load(folder)
