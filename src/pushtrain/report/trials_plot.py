"""The metric of every trial against the target."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from pushtrain.entities import Direction, Objective, TrialResult, TrialState
from pushtrain.record import RunRecord
from pushtrain.report.canvas import Drawing
from pushtrain.telling.palette import Palette
from pushtrain.telling.summary import winner
from pushtrain.telling.text import measured, number, target

_WIDE_SPREAD = 300
"""From this ratio of the largest to the smallest value on, the axis is logarithmic."""


@dataclass(frozen=True, slots=True)
class _Points:
    """Numbers and values of the trials, by what they prove."""

    proven: list[tuple[int, float]]
    unproven: list[tuple[int, float]]
    ended: list[tuple[int, TrialState]]

    @property
    def values(self) -> list[float]:
        return [value for _, value in (*self.proven, *self.unproven)]


def trials_plot(record: RunRecord) -> Drawing | None:
    """Draws the trials of a run; None while none of them gave a value."""
    objective = record.objective
    points = _sorted_out(record)
    if objective is None or not points.values:
        return None
    best = winner(record)
    last = max(record.trials)

    def draw(axes: Axes, palette: Palette) -> None:
        _scale(axes, points, objective)
        on_left = best is None or best.number > last / 2
        _target_line(axes, objective, palette, on_left=on_left)
        _marks(axes, points, objective, palette)
        if best is not None:
            _winner(axes, best, objective, palette)
        axes.set_xlabel("trial")
        axes.set_ylabel(objective.metric[:40])
        axes.set_xlim(-0.6 - last * 0.01, last + 0.6 + last * 0.01)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
        if last == 0:
            axes.set_xticks([0])

    return draw


def describe_trials(record: RunRecord) -> str:
    """The same for those who cannot see it."""
    objective = record.objective
    if objective is None:
        return ""
    points = _sorted_out(record)
    text = f"{objective.metric[:40]} of {len(record.trials)} trials, target {target(objective)}."
    if points.values:
        low, high = (measured(v, objective) for v in (min(points.values), max(points.values)))
        text += f" Values from {low} to {high}."
    best = winner(record)
    if best is not None and best.value is not None:
        text += f" Best: {measured(best.value, objective)} in trial {best.number}."
    return text


def _sorted_out(record: RunRecord) -> _Points:
    points = _Points([], [], [])
    for count, result in sorted(record.trials.items()):
        value = result.value
        if value is None or not math.isfinite(value):
            points.ended.append((count, result.state))
        elif result.state is TrialState.COMPLETE and result.measurement is not None:
            proven = result.measurement.role.is_evidence
            (points.proven if proven else points.unproven).append((count, value))
        else:
            points.unproven.append((count, value))
    return points


def _scale(axes: Axes, points: _Points, objective: Objective) -> None:
    """Leaves room for the marks at the bottom, and keeps one wild value from flattening all."""
    shown = [*points.values, objective.target]
    low, high = min(shown), max(shown)
    if low > 0 and high / low > _WIDE_SPREAD:
        axes.set_yscale("log")
        axes.set_ylim(low / 1.8, high * 1.8)
        axes.yaxis.set_minor_locator(NullLocator())
    else:
        room = (high - low) or abs(high) * 0.1 or 1.0
        axes.set_ylim(low - 0.2 * room, high + 0.2 * room)
        if low >= 0 and high <= 1:
            axes.set_yticks([tick for tick in axes.get_yticks() if 0 <= tick <= 1])
            axes.set_ylim(low - 0.2 * room, high + 0.2 * room)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))


def _target_line(axes: Axes, objective: Objective, palette: Palette, *, on_left: bool) -> None:
    axes.axhline(objective.target, color=palette.met, linewidth=1.2, linestyle=(0, (5, 3)))
    above = objective.direction is Direction.MAXIMIZE
    axes.annotate(
        f"target {target(objective)}",
        (0.005 if on_left else 0.995, objective.target),
        xycoords=("axes fraction", "data"),
        xytext=(0, 4 if above else -4),
        textcoords="offset points",
        ha="left" if on_left else "right",
        va="bottom" if above else "top",
        color=palette.met,
        fontsize=8.5,
        fontweight="bold",
    )


def _marks(axes: Axes, points: _Points, objective: Objective, palette: Palette) -> None:
    size = 34 if len(points.values) <= 60 else 14
    if points.proven:
        _best_so_far(axes, points.proven, objective, palette)
        numbers, values = zip(*points.proven, strict=True)
        axes.scatter(numbers, values, s=size, color=palette.accent, zorder=3)
    if points.unproven:
        numbers, values = zip(*points.unproven, strict=True)
        axes.scatter(
            numbers,
            values,
            s=size,
            facecolor=palette.card,
            edgecolor=palette.muted,
            linewidth=1.2,
            zorder=3,
            label="no evidence",
        )
    failed = [count for count, state in points.ended if state is TrialState.FAILED]
    other = [count for count, state in points.ended if state is not TrialState.FAILED]
    _at_the_bottom(axes, failed, "x", palette.failed, "failed")
    _at_the_bottom(axes, other, "|", palette.muted, "no value")
    if points.unproven or points.ended:
        axes.figure.legend(loc="outside lower center", ncols=3, fontsize=8)


def _at_the_bottom(axes: Axes, numbers: list[int], marker: str, color: str, label: str) -> None:
    if numbers:
        axes.scatter(
            numbers,
            [0.045] * len(numbers),
            s=28,
            marker=marker,
            color=color,
            linewidth=1.5,
            transform=axes.get_xaxis_transform(),
            zorder=3,
            label=label,
        )


def _best_so_far(
    axes: Axes, proven: list[tuple[int, float]], objective: Objective, palette: Palette
) -> None:
    """A stair through the best values up to each trial."""
    steps = [proven[0]]
    for count, value in proven[1:]:
        best = steps[-1][1]
        steps.append((count, value if objective.is_better(value, best) else best))
    if any(before[1] != after[1] for before, after in pairwise(steps)):
        axes.step(
            *zip(*steps, strict=True),
            where="post",
            color=palette.accent,
            linewidth=1.4,
            alpha=0.45,
        )


def _winner(axes: Axes, best: TrialResult, objective: Objective, palette: Palette) -> None:
    """A ring around the best trial, and its value on the far side of the target."""
    if best.value is None or not math.isfinite(best.value):
        return
    color = palette.met if objective.is_met(best.value) else palette.missed
    place = ([best.number], [best.value])
    axes.scatter(*place, s=60, color=color, zorder=4)
    axes.scatter(*place, s=190, facecolor="none", edgecolor=color, linewidth=1.6, zorder=4)
    above = objective.direction is Direction.MAXIMIZE
    axes.annotate(
        measured(best.value, objective),
        (best.number, best.value),
        xytext=(0, 10 if above else -10),
        textcoords="offset points",
        ha="center",
        va="bottom" if above else "top",
        color=color,
        fontsize=10.5,
        fontweight="bold",
        zorder=5,
    )
