"""Learning curves: the best trial beside the code as pushed."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from pushtrain.entities import Epoch
from pushtrain.record import RunRecord
from pushtrain.report.canvas import Drawing
from pushtrain.telling.palette import Palette
from pushtrain.telling.summary import winner
from pushtrain.telling.text import number, visible


def curves_plot(record: RunRecord) -> Drawing | None:
    """Learning curves of the best trial and of the code as pushed; None without epochs."""
    curves = _curves(record)
    if not curves:
        return None
    metric = curve_metric(record)
    objective = record.objective

    def draw(axes: Axes, palette: Palette) -> None:
        colors = {"as pushed": palette.muted}
        for name, epochs in curves:
            color = colors.get(name, palette.accent)
            for key, style, width in ((f"val_{metric}", "-", 2.0), (metric, (0, (1.5, 1.5)), 1.3)):
                points = _points(epochs, key)
                if points:
                    lone = len(points) == 1
                    label = f"{name}, {'validation' if key != metric else 'training'}"
                    axes.plot(
                        *zip(*points, strict=True),
                        color=color,
                        linestyle=style,
                        linewidth=width,
                        marker="o" if lone else None,
                        label=label,
                    )
        if objective is not None and objective.metric == metric:
            axes.axhline(objective.target, color=palette.met, linewidth=1.0, linestyle=(0, (5, 3)))
        axes.set_xlabel("epoch")
        axes.set_ylabel(metric[:40])
        axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))
        if all(len(epochs) == 1 for _, epochs in curves):
            axes.set_xticks([1])
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
        axes.margins(y=0.08)
        axes.figure.legend(loc="outside lower center", ncols=2, fontsize=8)

    return draw


def describe_curves(record: RunRecord) -> str:
    """The same for those who cannot see it."""
    metric = curve_metric(record)
    ends = []
    for name, epochs in _curves(record):
        points = _points(epochs, f"val_{metric}") or _points(epochs, metric)
        if points:
            ends.append(f"{name} ends at {number(points[-1][1])} after {len(epochs)} epochs")
    return f"{visible(metric, 40)} per epoch: {'; '.join(ends)}."


def curve_metric(record: RunRecord) -> str:
    """Which metric the curves show: the objective's where the epochs have it, else the loss."""
    keys = {key for _, epochs in _all_curves(record) for epoch in epochs for key in epoch.metrics}
    names = [key.removeprefix("val_") for key in keys]
    wanted = [record.objective.metric] if record.objective else []
    return next((n for n in (*wanted, "loss") if n in names), min(names, default="loss"))


def _curves(record: RunRecord) -> list[tuple[str, Sequence[Epoch]]]:
    metric = curve_metric(record)
    return [
        (name, epochs)
        for name, epochs in _all_curves(record)
        if _points(epochs, metric) or _points(epochs, f"val_{metric}")
    ]


def _all_curves(record: RunRecord) -> list[tuple[str, Sequence[Epoch]]]:
    best = winner(record)
    pushed = record.trials.get(0)
    chosen = [("as pushed", pushed)] if pushed else []
    if best is not None and best is not pushed:
        chosen.append((f"trial {best.number}", best))
    return [(name, result.epochs) for name, result in chosen if result and result.epochs]


def _points(epochs: Sequence[Epoch], key: str) -> list[tuple[int, float]]:
    found = ((epoch.number, epoch.metrics.get(key, math.nan)) for epoch in epochs)
    return [(count, value) for count, value in found if math.isfinite(value)]
