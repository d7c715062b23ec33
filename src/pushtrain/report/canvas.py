"""A sheet to draw on: one size and one palette, and the same bytes for the same drawing.

Figures are made by matplotlib's object interface, never by pyplot: no window, no global state.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imsave
from matplotlib.transforms import Bbox

from pushtrain.telling.palette import Palette

DENSITY = 2
"""Pixels of the file per pixel of the page, for sharp screens."""
_CSS_DPI = 96

Drawing: TypeAlias = Callable[[Axes, Palette], None]


def canvases(
    draw: Drawing, palettes: Iterable[Palette], width: int, height: int
) -> Iterator[FigureCanvasAgg]:
    """A drawing, once for each palette, as canvases of `width` by `height` pixels of the page.

    `draw` gets empty axes in the palette's colours.
    """
    place: Bbox | None = None
    for palette in palettes:
        settings: Any = {**_DEFAULTS, **_settings(palette)}
        with mpl.rc_context(settings), warnings.catch_warnings():
            # A label in a script that the font lacks is drawn as boxes: that need not disturb.
            warnings.filterwarnings("ignore", message="Glyph .* missing from")
            figure = Figure(
                figsize=(width / _CSS_DPI, height / _CSS_DPI),
                dpi=_CSS_DPI * DENSITY,
                layout="constrained",
            )
            canvas = FigureCanvasAgg(figure)
            axes = figure.add_subplot()
            axes.tick_params(length=0)
            draw(axes, palette)
            if place is not None:  # found once: colours do not move anything
                figure.set_layout_engine("none")
                axes.set_position(place)
            canvas.draw()  # type: ignore[no-untyped-call]
            place = axes.get_position(original=True)
        yield canvas


def write_png(canvas: FigureCanvasAgg, path: Path) -> None:
    """Writes what was drawn as a PNG file without date and version; on any thread."""
    imsave(
        path,
        canvas.buffer_rgba(),  # type: ignore[no-untyped-call]
        format="png",
        origin="upper",
        dpi=_CSS_DPI * DENSITY,
        metadata={"Software": None},  # type: ignore[dict-item]  # PIL's way to leave it out
    )


_DEFAULTS: dict[str, Any] = {
    key: value
    for key, value in mpl.rcParamsDefault.items()
    if not key.startswith(("backend", "interactive", "toolbar", "webagg", "date."))
}
"""Not what the user's own matplotlibrc says."""


def _settings(palette: Palette) -> dict[str, object]:
    return {
        "font.family": "DejaVu Sans",
        "font.size": 9.0,
        "text.parse_math": False,  # user text may hold dollar signs
        "text.color": palette.ink,
        "figure.facecolor": palette.card,
        "figure.constrained_layout.h_pad": 0.07,
        "figure.constrained_layout.w_pad": 0.07,
        "axes.facecolor": palette.card,
        "axes.edgecolor": palette.line,
        "axes.labelcolor": palette.muted,
        "axes.linewidth": 0.8,
        "axes.grid": True,
        "axes.grid.axis": "y",
        "axes.axisbelow": True,
        "axes.spines.left": False,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.formatter.useoffset": False,
        "grid.color": palette.line,
        "grid.linewidth": 0.6,
        "xtick.color": palette.muted,
        "ytick.color": palette.muted,
        "xtick.major.pad": 5,
        "ytick.major.pad": 5,
        "legend.frameon": False,
        "legend.labelcolor": palette.ink,
        "lines.solid_capstyle": "round",
        "path.simplify": True,
    }
