"""How much each knob mattered."""

from __future__ import annotations

import math
from collections.abc import Mapping

from matplotlib.axes import Axes

from pushtrain.report.canvas import Drawing
from pushtrain.telling.palette import Palette
from pushtrain.telling.text import visible

_MOST_BARS = 10


def importance_plot(importances: Mapping[str, float]) -> Drawing | None:
    """Bars of how much each knob mattered; None while that is unknown."""
    ranked = [(n, s) for n, s in importances.items() if math.isfinite(s)]
    ranked = sorted(ranked, key=lambda item: -item[1])[:_MOST_BARS]
    if not ranked:
        return None

    def draw(axes: Axes, palette: Palette) -> None:
        names = [visible(name, 22) for name, _ in ranked]
        shares = [share for _, share in ranked]
        rows = range(len(ranked))
        axes.grid(visible=False)
        axes.spines["bottom"].set_visible(False)
        axes.barh(rows, shares, height=0.62, color=palette.accent)
        for row, share in zip(rows, shares, strict=True):
            axes.annotate(
                f"{share:.0%}",
                (share, row),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                color=palette.muted,
            )
        axes.set_yticks(list(rows), names, color=palette.ink)
        axes.set_xticks([])
        axes.set_xlim(0, max(shares) * 1.16 or 1)
        axes.set_ylim(max(len(ranked), 4) - 0.4, -0.6)

    return draw


def describe_importances(importances: Mapping[str, float]) -> str:
    """The same for those who cannot see it."""
    ranked = sorted(importances.items(), key=lambda item: -item[1])[:_MOST_BARS]
    parts = (f"{visible(name, 40)} {share:.0%}" for name, share in ranked)
    return f"Share of the differences between trials: {', '.join(parts)}."
