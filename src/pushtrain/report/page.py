"""The report: one page, one style sheet and its plots, readable where build servers show files.

HTML, CSS and PNG only. No scripts, no inline styles, no data URIs and no request to anywhere
else, so that it looks right under the Content-Security-Policy that Jenkins sends for archived
files. Whatever comes from user code is escaped by the template and made visible by `telling.text`.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.backends.backend_agg import FigureCanvasAgg

from pushtrain.record import RunRecord
from pushtrain.report.canvas import canvases, write_png
from pushtrain.report.content import content
from pushtrain.report.figures import Figure, Shape, figures
from pushtrain.telling.palette import DARK, LIGHT

_TEMPLATES = Environment(
    loader=PackageLoader("pushtrain.report"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

_FIGURES = ("trials", "curves", "importance", "confusion")
"""What the page has places for; a figure that there is nothing to draw for is None."""


def write_report(
    record: RunRecord, folder: Path, *, patch: bytes, importances: Mapping[str, float]
) -> Path:
    """Writes `folder/report/` anew and swaps it in as a whole; gives the path of its page.

    May be called at any time, while the run goes on or long after, and from several processes.

    Args:
        record: the run, as its journal tells it.
        folder: the run's folder.
        patch: the winning patch, empty where nothing was changed.
        importances: knob name -> share; empty while unknown.
    """
    drawn = tuple(figures(record, importances))
    context = content(record, patch, importances) | {
        "figures": dict.fromkeys(_FIGURES) | {f.name: f for f in drawn}
    }
    new = Path(tempfile.mkdtemp(dir=folder, prefix=".report-"))
    try:
        new.chmod(0o755)
        page = _TEMPLATES.get_template("page.html").render(context)
        style = _TEMPLATES.get_template("style.css").render(light=LIGHT, dark=DARK)
        (new / "index.html").write_text(page, encoding="utf-8")
        (new / "style.css").write_text(style, encoding="utf-8")
        _write_plots(drawn, new)
        _swap(new, folder / "report")
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return folder / "report" / "index.html"


def _write_plots(drawn: tuple[Figure, ...], folder: Path) -> None:
    with ThreadPoolExecutor(1) as beside:  # compresses a plot while the next one is drawn
        writing = [
            beside.submit(write_png, canvas, folder / figure.file(shape, scheme))
            for figure in drawn
            for shape in figure.shapes
            for scheme, canvas in _canvases(figure, shape)
        ]
    for written in writing:
        written.result()


def _canvases(figure: Figure, shape: Shape) -> Iterator[tuple[str, FigureCanvasAgg]]:
    made = canvases(figure.draw, (LIGHT, DARK), shape.width, shape.height)
    return zip(("light", "dark"), made, strict=True)


def _swap(new: Path, place: Path) -> None:
    """Puts `new` at `place`; another writer may do the same at the same time, the last one wins."""
    while True:
        old = Path(tempfile.mkdtemp(dir=place.parent, prefix=".report-"))
        try:
            # A directory may replace an empty one, so each of the two steps is atomic.
            if place.exists():
                place.replace(old)
            new.replace(place)
            return
        except OSError:
            # Another writer has moved it away, or put its own there, in between.
            if not new.exists():
                raise
            if not place.exists() and not old.exists():
                raise
        finally:
            shutil.rmtree(old, ignore_errors=True)
