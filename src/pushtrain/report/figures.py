"""Which plots a report has, in which shapes, and what they say to those who cannot see them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pushtrain.record import RunRecord
from pushtrain.report.canvas import Drawing
from pushtrain.report.confusion_plot import confusion_plot, describe_confusion
from pushtrain.report.curves_plot import curves_plot, describe_curves
from pushtrain.report.importance_plot import describe_importances, importance_plot
from pushtrain.report.trials_plot import describe_trials, trials_plot
from pushtrain.telling.summary import winner


@dataclass(frozen=True, slots=True)
class Shape:
    """A size in pixels of the page; `narrow` is for phones."""

    width: int
    height: int
    narrow: bool = False


_BESIDE = (Shape(432, 316),)
"""Half a desk's width, and still readable when a phone shrinks it a little."""
_ACROSS = (Shape(900, 330), Shape(380, 320, narrow=True))


@dataclass(frozen=True, slots=True)
class Figure:
    """A plot: its name, how to draw it, its alternative text, and the shapes it comes in."""

    name: str
    draw: Drawing
    alt: str
    shapes: tuple[Shape, ...]

    def file(self, shape: Shape, scheme: str) -> str:
        """The name of its file: trials-narrow-dark.png."""
        return f"{self.name}{'-narrow' if shape.narrow else ''}-{scheme}.png"


def figures(record: RunRecord, importances: Mapping[str, float]) -> Iterator[Figure]:
    """The plots that this run has something to show for."""
    best = winner(record)
    if draw := trials_plot(record):
        yield Figure("trials", draw, describe_trials(record), _ACROSS)
    if draw := curves_plot(record):
        yield Figure("curves", draw, describe_curves(record), _BESIDE)
    if draw := importance_plot(importances):
        yield Figure("importance", draw, describe_importances(importances), _BESIDE)
    confusion = best.confusion if best else None
    if confusion is not None and (draw := confusion_plot(confusion)):
        yield Figure("confusion", draw, describe_confusion(confusion), (Shape(432, 400),))
