"""The confusion of the best model: which classes it takes for which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ticker import MaxNLocator

from pushtrain.entities import Confusion
from pushtrain.report.canvas import Drawing
from pushtrain.telling.palette import Palette
from pushtrain.telling.text import visible

_MOST_COUNTED = 12
"""So many classes still leave room for their counts."""
_MOST_LABELLED = 25


def confusion_plot(confusion: Confusion) -> Drawing | None:
    """The matrix of true and predicted classes, shaded by the share of its row."""
    if not confusion.labels:
        return None
    counts = np.array(confusion.matrix, dtype=float)
    if counts.shape != (len(confusion.labels),) * 2 or not np.isfinite(counts).all():
        return None

    def draw(axes: Axes, palette: Palette) -> None:
        totals = np.maximum(counts.sum(axis=1, keepdims=True), 1)
        shares = counts / totals
        shades = LinearSegmentedColormap.from_list("shades", [palette.card, palette.accent])
        axes.grid(visible=False)
        axes.spines["bottom"].set_visible(False)
        axes.imshow(shares, cmap=shades, vmin=0, vmax=1, interpolation="nearest")
        _class_names(axes, confusion.labels)
        if len(confusion.labels) <= _MOST_COUNTED:
            _counts(axes, counts, shares, palette)
        axes.set_xlabel("predicted")
        axes.set_ylabel("true")

    return draw


def describe_confusion(confusion: Confusion) -> str:
    """The same for those who cannot see it."""
    total = sum(map(sum, confusion.matrix))
    right = sum(row[i] for i, row in enumerate(confusion.matrix) if i < len(row))
    mistakes = [
        (count, confusion.labels[i], confusion.labels[j])
        for i, row in enumerate(confusion.matrix[: len(confusion.labels)])
        for j, count in enumerate(row[: len(confusion.labels)])
        if i != j and count > 0
    ]
    text = f"{len(confusion.labels)} classes, {right} of {total} examples right."
    if mistakes:
        count, true, said = max(mistakes, key=lambda mistake: mistake[0])
        text += f" Most often {visible(true, 40)} was taken for {visible(said, 40)}: {count} times."
    return text


def _class_names(axes: Axes, labels: Sequence[str]) -> None:
    ticks = range(len(labels))
    if len(labels) > _MOST_LABELLED:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        return
    names = [visible(label, 12) for label in labels]
    long = max(map(len, names)) > 3
    size = 9 if len(labels) <= _MOST_COUNTED else 7
    turned: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks(list(ticks), names, fontsize=size, **(turned if long else {}))
    axes.set_yticks(list(ticks), names, fontsize=size)


def _counts(
    axes: Axes, counts: npt.NDArray[Any], shares: npt.NDArray[Any], palette: Palette
) -> None:
    for (row, column), count in np.ndenumerate(counts):
        if count:
            strong = shares[row, column] > 0.5
            axes.text(
                column,
                row,
                f"{int(count)}",
                in_layout=False,
                ha="center",
                va="center",
                fontsize=8.5 if count < 1000 else 7,
                color=palette.card if strong else palette.ink,
            )
